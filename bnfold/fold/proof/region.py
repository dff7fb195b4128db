"""The part of a graph that a plan touches: what enters it, and what leaves it."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterator
from dataclasses import dataclass

import onnx_ir as ir

from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import reads_no_number
from bnfold.fold.plan import Plan


@dataclass(frozen=True)
class Region:
    """The nodes of a plan, in topological order, and the values that enter and leave."""

    nodes: tuple[ir.Node, ...]
    enters: tuple[ir.Value, ...]
    leaves: tuple[ir.Value, ...]


def region_of(plan: Plan, facts: Facts) -> Region:
    """What a plan changes, with the readers that must not notice and the makers of its shapes."""
    touched = {*plan.steps, *plan.witnesses, *(node for node, _ in plan.constants)}
    touched |= _shape_makers(touched, facts)
    nodes = tuple(sorted(touched, key=facts.order))
    inside = {value for node in nodes for value in node.outputs}
    enters = dict.fromkeys(v for node in nodes for v in _entering(node, inside, facts))
    leaves = [value for node in nodes for value in node.outputs if _is_read_outside(value, touched)]
    return Region(nodes, tuple(enters), tuple(leaves))


def _entering(node: ir.Node, inside: Container[ir.Value], facts: Facts) -> Iterator[ir.Value]:
    """The run-time values that the node reads from outside."""
    for value in node.inputs:
        if value is None or value in inside or facts.is_constant(value):
            continue
        if facts.dequantized(value) is None:
            yield value


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


def _is_read_outside(value: ir.Value, inside: Container[ir.Node]) -> bool:
    """Whether somebody sees the value who must not notice the plan; a moved one nobody may see."""
    outside = (use for use in value.uses() if use.node not in inside)
    return value.is_graph_output() or any(not reads_no_number(*use) for use in outside)
