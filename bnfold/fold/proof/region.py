"""The part of a graph that a plan touches: what enters it, and who sees what leaves it."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Iterator
from dataclasses import dataclass

import onnx_ir as ir

from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import is_op, number_reads, reads_of, returned, returning
from bnfold.fold.facts.softmax import softmax_behind
from bnfold.fold.plan import Plan
from bnfold.fold.proof.bodies import choices_of, label_of


@dataclass(frozen=True)
class Leaving:
    """A value that is read where it must not change: by nodes outside, or as a graph's output.

    Attributes:
        label: of the value as it was.
        readers, returns: who reads it, and at which index.
    """

    label: str
    readers: tuple[tuple[ir.Node, int], ...]
    returns: tuple[tuple[ir.Graph, int], ...]

    def now(self) -> list[ir.Value]:
        """What is read there now, each once."""
        found = dict.fromkeys([node.inputs[index] for node, index in self.readers])
        found |= dict.fromkeys([graph.outputs[index] for graph, index in self.returns])
        assert None not in found, "a value was read at each place"
        return [value for value in found if value is not None]


@dataclass(frozen=True)
class Region:
    """The nodes of a plan, in topological order, and the values that enter and leave."""

    nodes: tuple[ir.Node, ...]
    enters: frozenset[ir.Value]
    leaves: tuple[Leaving, ...]

    def read_now(self) -> list[tuple[str, ir.Value]]:
        """What is read outside of the region now, beside the label of what was read there."""
        return [(leaving.label, value) for leaving in self.leaves for value in leaving.now()]


def region_of(plan: Plan, facts: Facts) -> Region:
    """What a plan changes, with the readers that must not notice and the makers of its shapes."""
    touched = {*plan.steps, *plan.context, *(node for node, _ in plan.constants)}
    touched |= {softmax for node in touched for softmax in _softmaxes(node)}
    touched |= _shape_makers(touched, facts)
    nodes = tuple(sorted(touched, key=facts.order))
    inside = {value for node in nodes for value in node.outputs}
    enters = frozenset(v for node in nodes for v in _entering(node, inside, facts))
    made = (value for node in nodes for value in _made(node, inside, facts))
    found = [_leaving(value, touched, facts) for value in made]
    return Region(nodes, enters, tuple(leaving for leaving in found if leaving is not None))


def _made(node: ir.Node, inside: Container[ir.Value], facts: Facts) -> Iterator[ir.Value]:
    """What the node makes; not what bodies return to it from elsewhere, unless it can be fed."""
    if not returning(node):
        yield from node.outputs
        return
    for output, values in returned(node):
        made = [value in inside for value in values]
        if any(made) or all(facts.dims(value) is not None for value in values):
            yield output


def _entering(node: ir.Node, inside: Container[ir.Value], facts: Facts) -> Iterator[ir.Value]:
    """The run-time values that the node reads from outside."""
    read: Iterable[ir.Value | None] = node.inputs
    if returning(node):
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


def _leaving(value: ir.Value, inside: Container[ir.Node], facts: Facts) -> Leaving | None:
    """Where somebody sees the value who must not notice the plan; None where nobody does."""
    outside = [(use.node, use.idx) for use in value.uses() if use.node not in inside]
    readers = number_reads(outside) if outside else ()
    returns = _returns(value, inside, facts) if value.is_graph_output() else ()
    if not (readers or returns):
        return None
    return Leaving(label_of(value, facts), tuple(readers), tuple(returns))


def _returns(
    value: ir.Value, inside: Container[ir.Node], facts: Facts
) -> list[tuple[ir.Graph, int]]:
    """The places among the outputs of its graph that must not notice."""
    readers = [node for node, _ in facts.readers(value)]
    if not facts.leaves(value) and all(node in inside for node in readers if returning(node)):
        return []  # what a body returns is seen by its node alone
    producer = value.producer()
    if producer is None or producer.graph is None:
        return []
    graph = producer.graph
    assert isinstance(graph, ir.Graph), "functions are not folded"
    return [(graph, i) for i, output in enumerate(graph.outputs) if output is value]


def rewritten(region: Region, facts: Facts, made: Collection[ir.Node]) -> tuple[ir.Node, ...]:
    """The nodes that now make what is read at the region's places.

    Args:
        region: as it was.
        facts: of the model.
        made: nodes that the rewrite put there.
    """
    ours = {*region.nodes, *made}
    found: set[ir.Node] = set()
    pending = [value for _, value in region.read_now()]
    while pending:
        node = pending.pop().producer()
        if node is None or node in found or node not in ours or node.graph is None:
            continue
        found.add(node)
        pending.extend(v for v in reads_of(node) if v is not None and v not in region.enters)
    return tuple(sorted(found, key=facts.order))
