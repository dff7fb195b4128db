"""An If, Scan or Loop in a region: what bodies return stands beside what the node makes of it.

The bodies' nodes are nodes of the region like any other. A run takes, at each level at which an If
stands in another one's body, one of the two bodies; over all runs each way into a body is taken.
Of a Scan or Loop the turns are alike: what its body returns is stacked as often as there are turns.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Iterator, Sequence

import numpy as np
import onnx
import onnx_ir as ir

from bnfold.fold.facts.constants import Constant
from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import branches_of, returned, returning, stacked_along

DOMAIN = "bnfold.branches"  # of the operator that gives one of its inputs; no file has it
_MOST_LEVELS = 4


def choices_of(
    node: ir.Node, inside: Container[ir.Value], facts: Facts
) -> Iterator[tuple[ir.Value, tuple[ir.Value, ...]]]:
    """What the node makes, each with what its bodies return for it; what nobody can feed is not.

    Args:
        node: of any kind; none without bodies has choices.
        inside: values that the region makes.
        facts: of the model.
    """
    for output, values in returned(node):
        if all(value in inside or facts.dims(value) is not None for value in values):
            yield output, values


def level_of(node: ir.Node, facts: Facts) -> int:
    """In how many bodies of Ifs the node stands."""
    outer = facts.enclosing(node.graph)
    return 0 if outer is None else bool(branches_of(outer)) + level_of(outer, facts)


def ways_of(nodes: Iterable[ir.Node], facts: Facts) -> int:
    """How many runs take every way; 1 where there is no If."""
    levels = [level_of(node, facts) + 1 for node in nodes if branches_of(node)]
    return 1 << max(levels, default=0)


def are_too_deep(ways: int) -> bool:
    """Whether so many runs are more than a proof may take."""
    return ways > 1 << _MOST_LEVELS


def given(
    node: ir.Node, output: ir.Value, values: Iterable[ir.Value], facts: Facts
) -> onnx.NodeProto:
    """The node that gives one of the values, or stacks it; `node` has the bodies."""
    names, made = [label_of(value, facts) for value in values], [label_of(output, facts)]
    if branches_of(node):
        level = level_of(node, facts)
        return onnx.helper.make_node("Choice", names, made, domain=DOMAIN, level=level)
    (body,) = returning(node)
    axis = stacked_along(node, node.outputs.index(output) - body.made)
    return onnx.helper.make_node("Stack", names, made, domain=DOMAIN, axis=axis)


def chosen(node: onnx.NodeProto, way: int) -> str:
    """The input that a run of this number takes of what `given` has made."""
    return str(node.input[way >> node.attribute[0].i & 1 if node.op_type == "Choice" else 0])


def stacked(node: onnx.NodeProto, turn: Constant, shape: Sequence[int]) -> Constant:
    """So many turns as `shape` has, all alike."""
    axis = node.attribute[0].i
    return np.repeat(np.expand_dims(turn, axis), shape[axis], axis)


def label_of(value: ir.Value, facts: Facts) -> str:
    """The value's name; in a body with the body's number, as bodies beside it may have the name."""
    number = facts.body_numbers.get(scope(value)) if facts.body_numbers else None
    return f"{value.name or ''}@{number}" if number else value.name or ""


def scope(value: ir.Value) -> object:
    """The graph in which the value has its name."""
    producer = value.producer()
    return value.graph if producer is None else producer.graph


def shadowed(named: Collection[ir.Value], facts: Facts) -> ir.Value | None:
    """A value that another one of the same name hides, in a body around it."""
    if not facts.body_numbers:
        return None
    places = {(value.name, scope(value)): value for value in named}
    for value in named:
        outer = facts.enclosing(scope(value))
        while outer is not None:
            if (value.name, outer.graph) in places:
                return value
            outer = facts.enclosing(outer.graph)
    return None
