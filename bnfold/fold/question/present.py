"""A node as it stands in the middle of a question: it may have taken an affine already.

A rule looks at a node of the graph. Where the node has become another one in this plan, the rule is
shown that one, detached from the graph, and its answer is said of the first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import onnx_ir as ir

from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import describe, op_of
from bnfold.fold.numbers.affine import Affine
from bnfold.fold.numbers.exact import Exact, of_array
from bnfold.fold.plan import Leave, Move, NewNode, Operand, PassBy, Refusal, Replace, Step
from bnfold.fold.question.asking import Asking, Offer

_TAKEN = Refusal("already-taken", "it takes another affine already, in several operators")
_CONSTANT = Refusal("constant-shape", "the affine does not fit the constant's shape")


def ask_as_it_stands(
    asking: Asking,
    node: ir.Node,
    step: Step | None,
    affines: Mapping[int, Affine],
    *,
    backward: bool,
) -> Sequence[Offer | Refusal]:
    """All alternatives of the node, whatever it has become by `step`."""
    if step is None or isinstance(step, Leave):
        return asking.ask(node, affines, backward=backward)
    if isinstance(step, PassBy):
        place = step.index if backward else 0
        return [Offer(PassBy(step.index, {place: next(iter(affines.values()))}), "")]
    if not isinstance(step, Replace) or len(step.nodes) != 1:
        return [replace(_TAKEN, at=describe(node))]
    standing = _Standing.of(node, step.nodes[0], asking.facts)
    there = affines if backward else standing.inward(affines)
    try:
        offers = asking.ask(standing.node, there, backward=backward)
    finally:
        for index in range(len(standing.node.inputs)):
            standing.node.replace_input_with(index, None)
    return [
        replace(offer, at=describe(node))
        if isinstance(offer, Refusal)
        else standing.said_of_the_first(offer, step, backward=backward)
        for offer in offers
    ]


def with_constant(node: ir.Node, step: Step | None, index: int, exact: Exact) -> Replace:
    """The step in which, more than that, one input of the node is a fresh constant."""
    old = node.inputs[index]
    if not isinstance(step, Replace):
        inputs: list[Operand] = list(node.inputs)
        inputs[index] = exact
        return Replace((NewNode(op_of(node), tuple(inputs)),))
    nodes = tuple(
        replace(new, inputs=tuple(exact if operand is old else operand for operand in new.inputs))
        for new in step.nodes
    )
    return replace(step, nodes=nodes)


def changed(exact: Exact | None, affine: Affine, *, grows: bool) -> Exact | Refusal:
    """The constant with the affine in it; one that is broadcast may become larger."""
    plain = affine.settled()
    if exact is None or not (grows or plain.fits(exact.shape)):
        return _CONSTANT
    return of_array(exact.value() * plain.scale + plain.shift, exact.dtype)


@dataclass(frozen=True)
class _Standing:
    """What the node has become, with the places of its inputs in the first one.

    Attributes:
        node: detached from any graph.
        new: the same, as the plan has it.
        fresh: its constants that are not in the graph yet.
        inputs: that it has while it is asked.
        places: index of an input to the index that the same input has in the first node.
    """

    node: ir.Node
    inputs: tuple[ir.Value | None, ...]
    new: NewNode
    fresh: dict[ir.Value, Exact]
    places: dict[int, int]

    @classmethod
    def of(cls, node: ir.Node, new: NewNode, facts: Facts) -> _Standing:
        """The node that the plan puts in the place of `node`."""
        fresh: dict[ir.Value, Exact] = {}
        places: dict[int, int] = {}
        inputs: list[ir.Value | None] = []
        for index, operand in enumerate(new.inputs):
            assert not isinstance(operand, str), "a lone node has no temporaries"
            if isinstance(operand, Exact):
                value = ir.Value(name=f"operand{index}", type=ir.TensorType(operand.dtype))
                value.const_value = operand.lazy_tensor(f"operand{index}")
                facts.learn_constant(value, operand)
                fresh[value] = operand
                inputs.append(value)
                continue
            inputs.append(operand)
            same = [k for k, read in enumerate(node.inputs) if read is operand]
            places[index] = next((k for k in same if k not in places.values()), index)
        attributes = list(node.attributes.values())
        if new.attributes is not None:
            attributes = list(ir.convenience.convert_attributes(dict(new.attributes)))
        made = ir.Node(
            node.domain,
            new.op_type,
            inputs,
            attributes,
            num_outputs=len(node.outputs),
            version=node.version,
            name=node.name,
        )
        for output, old in zip(made.outputs, node.outputs, strict=True):
            output.name = old.name
            facts.learn_value(output, old, facts.dims(old))
        return cls(made, tuple(inputs), new, fresh, places)

    def inward(self, affines: Mapping[int, Affine]) -> dict[int, Affine]:
        """Affines at inputs of the first node, at the same inputs of this one."""
        here = {place: index for index, place in self.places.items()}
        return {here[place]: affine for place, affine in affines.items()}

    def said_of_the_first(self, offer: Offer, step: Replace, *, backward: bool) -> Offer | Refusal:
        """The alternative, in the places of the first node."""
        move, fresh = offer.move, dict(self.fresh)
        passes: dict[int, Affine] = {}
        for index, affine in move.passes.items():
            if not backward:
                passes[index] = affine
            elif index in self.places:
                passes[self.places[index]] = affine
            elif not affine.is_identity:
                value = self.inputs[index]
                assert value is not None, "what it reads there is fresh"
                found = changed(fresh[value], affine, grows=False)
                if isinstance(found, Refusal):
                    return replace(found, at=describe(self.node))
                fresh[value] = found
        if isinstance(move, PassBy):
            return replace(offer, move=PassBy(self.places[move.index], passes))
        if not backward and not self.places.keys() >= move.wants.keys():
            return replace(_TAKEN, at=describe(self.node))  # of a constant that is new already
        nodes = (
            move.nodes if isinstance(move, Replace) else (replace(self.new, inputs=self.inputs),)
        )
        said: Move = Replace(
            tuple(self._node(new, fresh) for new in nodes),
            passes,
            {(index if backward else self.places[index]): a for index, a in move.wants.items()},
            (move.price if isinstance(move, Replace) else None) or step.price,
        )
        return replace(offer, move=said)

    def _node(self, new: NewNode, fresh: Mapping[ir.Value, Exact]) -> NewNode:
        inputs: list[Operand] = [
            fresh.get(operand, operand) if isinstance(operand, ir.Value) else operand
            for operand in new.inputs
        ]
        attributes = self.new.attributes if new.attributes is None else new.attributes
        return replace(new, inputs=tuple(inputs), attributes=attributes)
