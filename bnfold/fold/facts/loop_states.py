"""What a Loop carries from turn to turn, of which shape inference forgets the shape.

A carried value may have another shape in each turn, so that inference says nothing of it. By
induction it keeps the shape that it enters with where a turn that is given that shape gives it
back: that is assumed, and inference is asked what comes of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import onnx_ir as ir

from bnfold.fold.facts.inference_model import dims_of_shape
from bnfold.fold.facts.node import is_op
from bnfold.fold.facts.size_rules import dims_of
from bnfold.fold.numbers.affine import Dims


class State(NamedTuple):
    """One carried value: as it enters the Loop, as the body reads it, as a turn leaves it."""

    entry: ir.Value
    inside: ir.Value
    left: ir.Value


def states_of(nodes: Iterable[ir.Node]) -> Iterator[State]:
    """What the Loops among the nodes carry."""
    for body, node in _loops(nodes):
        for entry, inside, left in zip(
            node.inputs[2:], body.inputs[2:], body.outputs[1:], strict=False
        ):
            if entry is not None:
                yield State(entry, inside, left)


def counters_of(nodes: Iterable[ir.Node]) -> dict[ir.Value, Dims]:
    """The number of a turn, and whether to go on: a body that says they are scalars gets such."""
    ends = (value for body, _ in _loops(nodes) for value in body.inputs[:2])
    return {value: () for value in ends if dims_of_shape(value.shape) == ()}


def assumed_of(states: Iterable[State], found: Mapping[ir.Value, Dims]) -> dict[ir.Value, Dims]:
    """For the values that bodies read: the dimensions with which they enter, as far as known."""
    entering = ((state.inside, dims_of(state.entry, found)) for state in states)
    return {inside: dims for inside, dims in entering if dims is not None}


def lost(
    states: Iterable[State], assumed: Mapping[ir.Value, Dims], found: Mapping[ir.Value, Dims]
) -> list[ir.Value]:
    """Of what was assumed that which a turn does not give back."""
    pairs = (
        (state.inside, assumed[state.inside], dims_of(state.left, {**found, **assumed}))
        for state in states
        if state.inside in assumed
    )
    return [inside for inside, wanted, made in pairs if not _gives_back(made, wanted)]


def _loops(nodes: Iterable[ir.Node]) -> Iterator[tuple[ir.Graph, ir.Node]]:
    return ((node.attributes["body"].as_graph(), node) for node in nodes if is_op(node, "Loop"))


def _gives_back(made: Dims | None, wanted: Dims) -> bool:
    if made is None or len(made) != len(wanted):
        return False
    return all(dim is None or dim == now for now, dim in zip(made, wanted, strict=True))
