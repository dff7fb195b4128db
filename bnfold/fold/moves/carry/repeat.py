"""Expand and Tile repeat numbers: an affine that is the same for all repeats passes.

Tile repeats whole axes, so s and t are tiled with the value: y = tile(x, r), A on x becomes
tile(A, r) on y; on the way back A on y must be such a tiling.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx_ir as ir

from bnfold.fold.facts.graph import Facts
from bnfold.fold.moves.carry.along import UNKNOWN_SHAPE
from bnfold.fold.numbers.affine import Affine, Array, Dims
from bnfold.fold.plan import Answer, Leave, Refusal, Rule

_REPEATED = Refusal("not-per-channel", "it repeats entries along an axis where the affine varies")


def repeat_after(node: ir.Node, demands: Mapping[int, Affine], facts: Facts) -> Answer:
    """A(repeat(x)) = repeat(A(x)) where A is the same for every repeat."""
    there, here = facts.dims(node.inputs[0]), facts.dims(node.outputs[0])
    if here is None or there is None:
        return UNKNOWN_SHAPE
    scale, shift = (_base(a, here, there) for a in (demands[0].scale, demands[0].shift))
    if scale is None or shift is None:
        return _REPEATED
    return [Leave({0: Affine(scale, shift)})]


def repeat_before(node: ir.Node, affines: Mapping[int, Affine], facts: Facts) -> Answer:
    """The mirror of `repeat_after`."""
    there = facts.dims(node.outputs[0])
    if there is None:
        return UNKNOWN_SHAPE
    affine = affines[0].aligned(len(there))  # repeats are integers: nothing arrives at them
    scale, shift = (_repeated(a, there) for a in (affine.scale, affine.shift))
    if scale is None or shift is None:
        return _REPEATED
    return [Leave({0: Affine(scale, shift)})]


def _base(array: Array, here: Dims, there: Dims) -> Array | None:
    """What was repeated, with the axes of x; None if the repeats differ."""
    lead = len(here) - len(there)
    for axis in range(array.ndim):
        if array.shape[axis] == 1:
            continue
        extent = there[axis - lead] if axis >= lead else None
        if not isinstance(extent, int) or extent == 0 or array.shape[axis] % extent:
            return None
        first = np.take(array, range(extent), axis=axis)
        repeats = [array.shape[axis] // extent if i == axis else 1 for i in range(array.ndim)]
        if not np.array_equal(np.tile(first, repeats), array, equal_nan=True):
            return None
        array = first
    return array.reshape(array.shape[lead:])


def _repeated(array: Array, there: Dims) -> Array | None:
    """The array for y; None if it varies along an axis that becomes longer by an unknown factor."""
    repeats = [1] * array.ndim
    for axis, extent in enumerate(there):
        if array.shape[axis] == 1:
            continue
        if not isinstance(extent, int) or extent % array.shape[axis]:
            return None
        repeats[axis] = extent // array.shape[axis]
    return np.tile(array, repeats)


RULES = (Rule("repeat", ("Expand", "Tile"), backward=repeat_after, forward=repeat_before),)
