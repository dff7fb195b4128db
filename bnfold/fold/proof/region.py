"""The part of a graph that a plan touches: what enters it, and who sees what leaves it."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Iterator
from dataclasses import dataclass

import onnx_ir as ir

from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import bodies_of, is_op, reads_no_number, reads_of
from bnfold.fold.facts.softmax import softmax_behind
from bnfold.fold.plan import Plan
from bnfold.fold.proof.bodies import choices_of, label_of


@dataclass(frozen=True)
class ReadPlace:
    """Where a value is read that must not change: an input of a node, or an output of a graph."""

    reader: ir.Node | ir.Graph
    index: int

    @property
    def value(self) -> ir.Value:
        """What is read there now."""
        read = self.reader.inputs if isinstance(self.reader, ir.Node) else self.reader.outputs
        value = read[self.index]
        assert value is not None, "a place is where a value was read"
        return value


@dataclass(frozen=True)
class Region:
    """The nodes of a plan, in topological order, and the values that enter and leave.

    Attributes:
        leaves: the places outside where a value of the region is read, by its name.
    """

    nodes: tuple[ir.Node, ...]
    enters: frozenset[ir.Value]
    leaves: tuple[tuple[str, ReadPlace], ...]


def region_of(plan: Plan, facts: Facts) -> Region:
    """What a plan changes, with the readers that must not notice and the makers of its shapes."""
    touched = {*plan.steps, *plan.context, *(node for node, _ in plan.constants)}
    touched |= {softmax for node in touched for softmax in _softmaxes(node)}
    touched |= _shape_makers(touched, facts)
    nodes = tuple(sorted(touched, key=facts.order))
    inside = {value for node in nodes for value in node.outputs}
    enters = frozenset(v for node in nodes for v in _entering(node, inside, facts))
    leaves = [
        (label_of(value, facts), place)
        for node in nodes
        for value in node.outputs
        for place in _places(value, touched, facts)
    ]
    return Region(nodes, enters, tuple(leaves))


def _entering(node: ir.Node, inside: Container[ir.Value], facts: Facts) -> Iterator[ir.Value]:
    """The run-time values that the node reads from outside."""
    read: Iterable[ir.Value | None] = node.inputs
    if bodies_of(node):
        read = [value for _, values in choices_of(node, inside, facts) for value in values]
    for value in read:
        if value is None or value in inside or facts.is_constant(value):
            continue
        if facts.dequantized(value) is None:
            yield value


def _softmaxes(node: ir.Node) -> Iterator[ir.Node]:
    """What makes the node's factors sum to 1, which random ones would not."""
    for value in node.inputs if is_op(node, "MatMul", "Einsum") else ():
        softmax = softmax_behind(node, value)
        if softmax is not None:
            yield softmax


def _shape_makers(touched: Collection[ir.Node], facts: Facts) -> set[ir.Node]:
    """The nodes that compute shapes and indices for the region: random ones would not fit it."""
    found: set[ir.Node] = set()
    pending = [value for node in touched for value in _entering(node, (), facts)]
    while pending:
        value = pending.pop()
        producer = value.producer()
        if producer is None or producer in found or producer in touched:
            continue
        if facts.dtype(value) not in (ir.DataType.INT64, ir.DataType.INT32):
            continue
        found.add(producer)
        pending.extend(_entering(producer, (), facts))
    return found


def _places(value: ir.Value, inside: Container[ir.Node], facts: Facts) -> Iterator[ReadPlace]:
    """Where somebody sees the value who must not notice the plan."""
    for use in value.uses():
        if use.node not in inside and not reads_no_number(use.node, use.idx):
            yield ReadPlace(use.node, use.idx)
    if not value.is_graph_output():
        return
    readers = [node for node, _ in facts.readers(value)]
    if not facts.leaves(value) and all(node in inside for node in readers if bodies_of(node)):
        return  # what a body returns is seen by its If alone
    producer = value.producer()
    if producer is not None and producer.graph is not None:
        graph = producer.graph
        assert isinstance(graph, ir.Graph), "functions are not folded"
        yield from (
            ReadPlace(graph, i) for i, output in enumerate(graph.outputs) if output is value
        )


def rewritten(region: Region, facts: Facts, made: Collection[ir.Node]) -> tuple[ir.Node, ...]:
    """The nodes that now make what is read at the region's places.

    Args:
        region: as it was.
        facts: of the model.
        made: nodes that the rewrite put there.
    """
    ours = {*region.nodes, *made}
    found: set[ir.Node] = set()
    pending = [place.value for _, place in region.leaves]
    while pending:
        node = pending.pop().producer()
        if node is None or node in found or node not in ours or node.graph is None:
            continue
        found.add(node)
        pending.extend(v for v in reads_of(node) if v is not None and v not in region.enters)
    return tuple(sorted(found, key=facts.order))
