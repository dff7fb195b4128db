"""Slice and Gather: the part of the value that is taken takes its part of s and t."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from bnfold.float64.indexing import cut
from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import attribute_of, input_of, is_op
from bnfold.fold.moves.carry.along import DYNAMIC_PART, UNKNOWN_EXTENT
from bnfold.fold.numbers.affine import Affine, Array
from bnfold.fold.plan import Answer, Leave, Refusal, Rule

Indices = npt.NDArray[np.int64]

_MOST_ENTRIES = 1 << 24  # of an axis: each has a number of its own here
_TOO_LONG = Refusal(
    "axis-too-long", f"it takes a part of an axis that has more than {_MOST_ENTRIES:,} entries"
)


def select_after(node: ir.Node, demands: Mapping[int, Affine], facts: Facts) -> Answer:
    """y = x[indices]: x must carry A where y reads it, and may carry anything elsewhere.

    The entries that are not read stay "any" until the other readers have spoken. Where an entry is
    read twice, both readings must ask the same.
    """
    taken = _taken(node, facts)
    if isinstance(taken, Refusal):
        return _anywhere(node, demands[0], facts, taken, backward=True)
    axes, rank = taken
    scale, shift = demands[0].scale, demands[0].shift
    if is_op(node, "Gather"):
        scale, shift = (_with_gathered_axis(a, node, facts) for a in (scale, shift))
    scale, shift = np.broadcast_arrays(scale, shift)  # "any" must stand in both at the same entries
    for axis, indices in axes.items():
        extent = _listed(node, axis, facts)
        if scale.shape[axis] == 1 and not _reads_part(indices, extent):
            continue
        if extent is None:
            if scale.shape[axis] == 1:
                continue  # the same affine everywhere along an axis of unknown extent
            return UNKNOWN_EXTENT if facts.dim(node.inputs[0], axis) is None else _TOO_LONG
        spread = _spread(scale, shift, axis, indices, extent)
        if spread is None:
            return Refusal("read-twice", "it reads one entry twice, with different affines")
        scale, shift = spread
    return [Leave({0: Affine(scale, shift)})] if scale.ndim == rank else UNKNOWN_EXTENT


def select_before(node: ir.Node, affines: Mapping[int, Affine], facts: Facts) -> Answer:
    """y = x[indices] carries s[indices] and t[indices]."""
    if set(affines) != {0}:
        return DYNAMIC_PART
    taken = _taken(node, facts)
    if isinstance(taken, Refusal):
        return _anywhere(node, affines[0], facts, taken, backward=False)
    indices = facts.constant(node.inputs[1]) if is_op(node, "Gather") else None
    arrays = []
    for a in (affines[0].scale, affines[0].shift):
        array = a
        for axis, part in taken[0].items():
            chosen = part if indices is None else indices
            if array.shape[axis] > 1:
                array = np.take(array, chosen, axis=axis)
            else:  # one entry stands for all, on each of the axes that a Gather makes of one
                ones = (1,) * chosen.ndim
                array = array.reshape(*array.shape[:axis], *ones, *array.shape[axis + 1 :])
        arrays.append(array)
    return [Leave({0: Affine(*arrays)})]


def _anywhere(
    node: ir.Node, affine: Affine, facts: Facts, refusal: Refusal, *, backward: bool
) -> Answer:
    """Whatever is taken carries the same affine, where that is constant along the axes it works on.

    So does an embedding: rows of a constant table, chosen at run time.
    """
    rank = facts.rank(node.inputs[0])
    if rank is None:
        return refusal
    if is_op(node, "Slice"):
        axes = facts.constant(input_of(node, 3))
        worked = range(rank) if axes is None else [int(a) % rank for a in axes]
        constant = not any(affine.varies_along(axis) for axis in worked)
        return [Leave({0: affine})] if constant else refusal
    index_rank = facts.rank(node.inputs[1])
    if index_rank is None:
        return refusal
    axis = attribute_of(node, "axis", 0) % rank
    here = index_rank if backward else 1
    if any(affine.varies_along(i) for i in range(axis, axis + here)):
        return refusal
    there = (1,) * (1 if backward else index_rank)
    arrays = [
        a.reshape(*a.shape[:axis], *there, *a.shape[axis + here :])
        for a in (affine.scale, affine.shift)
    ]
    return [Leave({0: Affine(*arrays)})]


def _taken(node: ir.Node, facts: Facts) -> tuple[dict[int, Indices], int] | Refusal:
    """Axis to the indices that are read, and the rank of x."""
    rank = facts.rank(node.inputs[0])
    if rank is None:
        return UNKNOWN_EXTENT
    if is_op(node, "Gather"):
        indices = facts.constant(node.inputs[1])
        axis = attribute_of(node, "axis", 0) % rank
        if indices is None:
            return DYNAMIC_PART
        return {axis: indices.reshape(-1)}, rank  # negative ones count from the end here too
    return _sliced_axes(node, rank, facts)


def _sliced_axes(
    node: ir.Node, rank: int, facts: Facts
) -> tuple[dict[int, Indices], int] | Refusal:
    bounds: list[Indices | None] = []
    for position, name in enumerate(("starts", "ends", "axes", "steps"), start=1):
        if name in node.attributes:
            bounds.append(np.array(attribute_of(node, name, ()), dtype=np.int64))
            continue
        value = input_of(node, position)
        constant = facts.constant(value)
        if value is not None and constant is None:
            return DYNAMIC_PART
        bounds.append(constant)
    starts, ends, axes, steps = bounds
    assert starts is not None and ends is not None, "no Slice leaves them out"
    axes = np.arange(len(starts)) if axes is None else axes
    steps = np.ones(len(starts), dtype=np.int64) if steps is None else steps
    taken: dict[int, Indices] = {}
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        extent = _listed(node, int(axis) % rank, facts)
        if extent is None:
            # no extent: -1 says that a part is taken, and nobody may ask which
            taken[int(axis) % rank] = np.array([-1])  # some part of an unknown extent
            continue
        bounds_of_run = cut(extent, int(start), int(end), int(step))
        taken[int(axis) % rank] = np.arange(extent)[bounds_of_run]
    return taken, rank


def _listed(node: ir.Node, axis: int, facts: Facts) -> int | None:
    """The extent of the axis of x, where its entries may be told one by one."""
    extent = facts.dim(node.inputs[0], axis)
    return None if extent is None or extent > _MOST_ENTRIES else extent


def _with_gathered_axis(array: Array, node: ir.Node, facts: Facts) -> Array:
    """The axes that a Gather by constant indices made of one, as that one axis again."""
    indices = facts.constant(node.inputs[1])
    assert indices is not None
    count = indices.ndim
    axis = attribute_of(node, "axis", 0) % (array.ndim - count + 1)
    if all(extent == 1 for extent in array.shape[axis : axis + count]):
        return array.reshape(*array.shape[:axis], 1, *array.shape[axis + count :])
    full = (*array.shape[:axis], *indices.shape, *array.shape[axis + count :])
    expanded = np.broadcast_to(array, full)
    return expanded.reshape(*array.shape[:axis], indices.size, *array.shape[axis + count :])


def _reads_part(indices: Indices, extent: int | None) -> bool:
    return len(np.unique(indices)) != extent


def _spread(
    scale: Array, shift: Array, axis: int, indices: Indices, extent: int
) -> tuple[Array, Array] | None:
    """The arrays over the whole axis: what is asked at `indices`, NaN ("any") elsewhere."""
    results = []
    for a in (scale, shift):
        moved = np.moveaxis(a, axis, 0)
        if moved.shape[0] not in (1, len(indices)):
            return None
        moved = np.broadcast_to(moved, (len(indices), *moved.shape[1:]))
        whole = np.full((extent, *moved.shape[1:]), np.nan)
        whole[indices] = moved
        # where an index comes twice the last one wins: what reads back differs for the first
        if not np.array_equal(whole[indices], moved, equal_nan=True):
            return None
        results.append(np.moveaxis(whole, 0, axis))
    return results[0], results[1]


RULES = (
    Rule(
        "select",
        ("Slice", "Gather"),
        backward=select_after,
        forward=select_before,
    ),
)
