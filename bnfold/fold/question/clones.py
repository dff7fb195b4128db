"""Backward into a copy: the source becomes a copy of the operator before it, the affine in it.

For an operator that others read too: they keep what they read, and its work is done twice. That is
the price; nothing is edited to ask for it.
"""

from __future__ import annotations

from dataclasses import replace

import onnx_ir as ir

from bnfold.fold.facts.node import attribute_of, is_product, op_of
from bnfold.fold.numbers.affine import Affine
from bnfold.fold.numbers.exact import of_array
from bnfold.fold.plan import NewNode, Plan, Price, Refusal, Replace
from bnfold.fold.question.asking import Asking, Offer
from bnfold.fold.sources.source import Source

PRICE = "clone"
_COST = Price(PRICE, Refusal("other-reader", "its output is also read by others"))
_SUM = "product"  # a temporary's name


class Copying:
    """Gives a source its own copy of what makes its input."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    def plan(self, source: Source) -> Plan | None:
        """The source as a copy that has the affine in it; None where there is none to be had."""
        producer = shared_producer(source)
        if producer is None or len(source.node.outputs) != 1:
            return None
        if not self._asking.may_copy(producer):
            return None
        self._asking.seen[producer] = None
        if PRICE not in self._asking.prices:
            self._asking.declined[PRICE] = None
            return None
        offer = self._absorbing(producer, source.affine)
        nodes = () if offer is None else _copied(producer, offer)
        if offer is None and source.affine.has_shift and is_product(producer):
            offer = self._absorbing(producer, source.affine.only_scale())
            nodes = () if offer is None else self._with_bias(_copied(producer, offer), source)
        if offer is None or not nodes:
            return None
        return Plan(
            {source.node: Replace(nodes, price=_COST)},
            context=frozenset({producer}),
            rules=(offer.rule,),
        )

    def _absorbing(self, producer: ir.Node, affine: Affine) -> Offer | None:
        """The first alternative in which the operator takes all of the affine."""
        for offer in self._asking.ask(producer, {0: affine}, backward=True):
            if isinstance(offer, Offer) and isinstance(offer.move, Replace):
                passes = offer.move.passes.values()
                if all(passed.is_identity for passed in passes):
                    return offer
        return None

    def _with_bias(self, nodes: tuple[NewNode, ...], source: Source) -> tuple[NewNode, ...]:
        """A MatMul has no bias: an Add behind it has the shift."""
        dtype = self._asking.facts.dtype(source.node.outputs[0])
        if dtype is None or self._asking.facts.opset() < 7:
            return ()
        *others, last = nodes
        shift = of_array(source.affine.shift, dtype)
        return (*others, replace(last, output=_SUM), NewNode("Add", (_SUM, shift), {}))


def shared_producer(source: Source) -> ir.Node | None:
    """What makes the value that the source reads, where others read it too."""
    x = source.node.inputs[source.index]
    producer = None if x is None else x.producer()
    if x is None or producer is None or producer.graph is not source.node.graph:
        return None
    return producer if len(x.uses()) > 1 or x.is_graph_output() else None


def _copied(producer: ir.Node, offer: Offer) -> tuple[NewNode, ...]:
    """The nodes of the offer, which do without the node that they would have replaced."""
    assert isinstance(offer.move, Replace)
    attributes = {name: attribute_of(producer, name, None) for name in producer.attributes}
    return tuple(
        replace(new, attributes=attributes)
        if new.attributes is None and new.op_type == op_of(producer)
        else replace(new, attributes=new.attributes or {})
        for new in offer.move.nodes
    )
