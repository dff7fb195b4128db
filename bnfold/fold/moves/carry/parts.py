"""Split and Concat: each part of the value takes its part of s and t."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx_ir as ir

from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import attribute_of
from bnfold.fold.moves.carry.along import DYNAMIC_PART, UNKNOWN_EXTENT
from bnfold.fold.numbers.affine import Affine, Array, identity
from bnfold.fold.plan import Answer, Leave, Rule


def split_after(node: ir.Node, demands: Mapping[int, Affine], facts: Facts) -> Answer:
    """x = concat(parts): x must carry each part's A on that part; an unread part, the identity.

    Or all parts carry the same, where that is constant along the axis.
    """
    axis, sizes = _split_sizes(node, facts)
    rank = next(iter(demands.values())).rank
    axis %= rank
    parts = [demands.get(i, identity(rank)) for i in range(len(node.outputs))]
    first = next(iter(demands.values()))
    if all(part.equals(first) and not part.varies_along(axis) for part in parts):
        return [Leave({0: first})]
    steps = [] if sizes is None else [Leave({0: _joined(parts, sizes, axis)})]
    if not first.varies_along(axis):
        others = {i: first for i, part in enumerate(parts) if not part.equals(first)}
        steps.append(Leave({0: first}, wants=others))
    return steps or UNKNOWN_EXTENT


def split_before(node: ir.Node, affines: Mapping[int, Affine], facts: Facts) -> Answer:
    """Each part carries its slice of s and t."""
    if set(affines) != {0}:
        return DYNAMIC_PART
    axis, sizes = _split_sizes(node, facts)
    affine = affines[0]
    axis %= affine.rank
    if not affine.varies_along(axis):
        return [Leave(dict.fromkeys(range(len(node.outputs)), affine))]
    if sizes is None:
        return UNKNOWN_EXTENT
    return [Leave(dict(enumerate(_sliced(affine, sizes, axis))))]


def concat_after(node: ir.Node, demands: Mapping[int, Affine], facts: Facts) -> Answer:
    """y = concat(x...): each part must carry its slice of A; the same A on another axis."""
    demand = demands[0]
    axis = attribute_of(node, "axis", 1) % demand.rank
    count = len(node.inputs)
    if not demand.varies_along(axis):
        return [Leave(dict.fromkeys(range(count), demand))]
    sizes = _sizes(node.inputs, axis, facts)
    if sizes is None:
        return UNKNOWN_EXTENT
    return [Leave(dict(enumerate(_sliced(demand, sizes, axis))))]


def concat_before(node: ir.Node, affines: Mapping[int, Affine], facts: Facts) -> Answer:
    """y = concat(x...) carries the parts' s and t side by side, a part without any the identity.

    On an axis along which the sizes are unknown, or the affine is constant, all parts must carry
    the same.
    """
    first = next(iter(affines.values()))
    axis = attribute_of(node, "axis", 1) % first.rank
    sizes = _sizes(node.inputs, axis, facts)
    steps = []
    if not any(g.varies_along(axis) for g in affines.values()):
        wants = dict.fromkeys(range(len(node.inputs)), first)
        steps.append(Leave({0: first}, wants=wants))
    if sizes is not None:
        steps.append(Leave({0: _embedded(affines, sizes, axis)}))
    return steps or UNKNOWN_EXTENT


def _split_sizes(node: ir.Node, facts: Facts) -> tuple[int, list[int] | None]:
    axis = attribute_of(node, "axis", 0)
    return axis, _sizes(node.outputs, axis, facts)


def _sizes(parts: Sequence[ir.Value | None], axis: int, facts: Facts) -> list[int] | None:
    """The extents of the parts along the axis; None where one is not known."""
    extents = [facts.dim(part, axis) for part in parts]
    known = [extent for extent in extents if extent is not None]
    return known if len(known) == len(extents) else None


def _joined(parts: list[Affine], sizes: list[int], axis: int) -> Affine:
    joined = []
    for name in ("scale", "shift"):
        arrays = [np.asarray(getattr(part, name)) for part in parts]
        shape = list(np.broadcast_shapes(*(_without(a.shape, axis) for a in arrays)))
        full = []
        for a, size in zip(arrays, sizes, strict=True):
            extents = [*shape[:axis], size, *shape[axis + 1 :]]
            full.append(np.broadcast_to(a, extents))
        joined.append(np.concatenate(full, axis=axis))
    return Affine(*joined)


def _embedded(affines: Mapping[int, Affine], sizes: list[int], axis: int) -> Affine:
    """The parts' affines side by side; a part without any has the identity."""
    extents = list(np.broadcast_shapes(*(_without(g.extents, axis) for g in affines.values())))
    extents[axis] = sum(sizes)
    scale, shift = np.ones(extents), np.zeros(extents)
    ends = np.cumsum(sizes)
    for i, affine in affines.items():
        part = (slice(None),) * axis + (slice(int(ends[i]) - sizes[i], int(ends[i])),)
        scale[part], shift[part] = affine.scale, affine.shift
    return Affine(scale, shift)


def _without(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    return (*shape[:axis], 1, *shape[axis + 1 :])


def _sliced(affine: Affine, sizes: list[int], axis: int) -> list[Affine]:
    """The parts' affines; a whole axis of extent 1 belongs to each part."""
    ends = np.cumsum(sizes)[:-1]

    def cut(array: Array) -> list[Array]:
        if array.shape[axis] == 1:
            return [array] * len(sizes)
        return np.split(array, ends, axis=axis)

    return [Affine(s, t) for s, t in zip(cut(affine.scale), cut(affine.shift), strict=True)]


RULES = (
    Rule("split", ("Split",), backward=split_after, forward=split_before),
    Rule("concat", ("Concat",), backward=concat_after, forward=concat_before),
)
