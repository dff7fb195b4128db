"""Expand and Tile repeat numbers: an affine that is the same for all repeats passes."""

from __future__ import annotations

from collections.abc import Mapping

import onnx_ir as ir

from bnfold.fold.affine import Affine
from bnfold.fold.graph import Facts
from bnfold.fold.plan import Answer, Refusal, Rule, Step

_REPEATED = Refusal("not-per-channel", "it repeats entries along an axis where the affine varies")


def repeat_after(node: ir.Node, demands: Mapping[int, Affine], facts: Facts) -> Answer:
    """A(repeat(x)) = repeat(A(x)) where A is constant along the repeated axes."""
    here, there = facts.dims(node.outputs[0]), facts.dims(node.inputs[0])
    demand = demands[0]
    if here is None or there is None:
        return Refusal("shape-unknown", "the shape of its input or output is not known")
    lead = len(here) - len(there)
    for axis in range(demand.rank):
        if demand.varies_along(axis) and (axis < lead or here[axis] != there[axis - lead]):
            return _REPEATED
    scale = demand.scale.reshape(demand.scale.shape[lead:])
    return [Step("repeat", {0: Affine(scale, demand.shift.reshape(demand.shift.shape[lead:]))})]


def repeat_before(node: ir.Node, gauges: Mapping[int, Affine], facts: Facts) -> Answer:
    """The mirror of `repeat_after`."""
    here, there = facts.dims(node.inputs[0]), facts.dims(node.outputs[0])
    if set(gauges) != {0} or here is None or there is None:
        return Refusal("shape-unknown", "the shape of its input or output is not known")
    gauge, lead = gauges[0], len(there) - len(here)
    for axis in range(gauge.rank):
        if gauge.varies_along(axis) and here[axis] != there[axis + lead]:
            return _REPEATED
    return [Step("repeat", {0: gauge.aligned(len(there))})]


RULES = (Rule("repeat", ("Expand", "Tile"), backward=repeat_after, forward=repeat_before),)
