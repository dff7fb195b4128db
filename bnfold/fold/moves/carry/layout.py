"""Operators that only move numbers about: s and t move as the value does, in both directions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import onnx_ir as ir

from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import attribute_of, input_of, is_op, is_read
from bnfold.fold.moves.carry.along import UNKNOWN_SHAPE
from bnfold.fold.numbers.affine import Affine, Array, Dims
from bnfold.fold.plan import Answer, Leave, PassBy, Refusal, Rule

Extent = int | str | None

_MIXED = Refusal(
    "reshape-mixes",
    "it merges the channels with an axis whose size is not known",
    advice="export with a static size for that axis",
)


def same_after(node: ir.Node, demands: Mapping[int, Affine], facts: Facts) -> Answer:
    """A(x) = A(y) for y = x: Identity, and Dropout in inference; the node goes."""
    return [PassBy(0, {0: demands[0]})] if _is_same(node, facts) else _dropping()


def same_before(node: ir.Node, affines: Mapping[int, Affine], facts: Facts) -> Answer:
    """The mirror of `same_after`."""
    return [PassBy(0, {0: affines[0]})] if _is_same(node, facts) else _dropping()


def _is_same(node: ir.Node, facts: Facts) -> bool:
    if is_op(node, "Identity"):
        return True
    if any(value.name and is_read(value) for value in node.outputs[1:]):
        return False  # the mask
    opset = node.version or facts.opset()
    if opset < 7:
        return bool(attribute_of(node, "is_test", 0))
    training = input_of(node, 2)
    if training is not None:
        mode = facts.constant(training)
        return mode is not None and not np.any(mode)
    return True


def _dropping() -> Refusal:
    return Refusal("dropout", "it drops values at random", advice="export in inference mode")


def transpose_after(node: ir.Node, demands: Mapping[int, Affine], _facts: Facts) -> Answer:
    """y = transpose(x, p), so A on y is transpose(A, p^-1) on x: s and t have the value's axes."""
    inverse = np.argsort(_permutation(node, demands[0].rank)).tolist()
    return [Leave({0: _transposed(demands[0], inverse)})]


def transpose_before(node: ir.Node, affines: Mapping[int, Affine], _facts: Facts) -> Answer:
    """The mirror of `transpose_after`."""
    return [Leave({0: _transposed(affines[0], _permutation(node, affines[0].rank))})]


def _permutation(node: ir.Node, rank: int) -> Sequence[int]:
    return attribute_of(node, "perm", None) or range(rank)[::-1]


def _transposed(affine: Affine, axes: Sequence[int]) -> Affine:
    return Affine(affine.scale.transpose(axes), affine.shift.transpose(axes))


def reshape_after(node: ir.Node, demands: Mapping[int, Affine], facts: Facts) -> Answer:
    """Row-major order stays: Reshape, Flatten, Squeeze, Unsqueeze regroup axes.

    Where a group of axes of y holds the same numbers as a group of axes of x, s and t are expanded
    over the group and reshaped with it; over the other groups they must be constant.
    """
    return _reshape(demands, facts.dims(node.outputs[0]), facts.dims(node.inputs[0]))


def reshape_before(node: ir.Node, affines: Mapping[int, Affine], facts: Facts) -> Answer:
    """The mirror of `reshape_after`."""
    if set(affines) != {0}:
        return UNKNOWN_SHAPE
    return _reshape(affines, facts.dims(node.inputs[0]), facts.dims(node.outputs[0]))


def _reshape(affines: Mapping[int, Affine], here: Dims | None, there: Dims | None) -> Answer:
    if here is None or there is None:
        return UNKNOWN_SHAPE
    scale = _regrouped(affines[0].scale, here, there)
    shift = _regrouped(affines[0].shift, here, there)
    if scale is None or shift is None:
        return _MIXED
    return [Leave({0: Affine(scale, shift)})]


def _regrouped(array: Array, here: Dims, there: Dims) -> Array | None:
    """The array for `there`; None if it varies where the axes cannot be told apart."""
    shape = [1] * len(there)
    pieces: list[tuple[range, range, tuple[int, ...]]] = []
    for ours, theirs in _groups(here, there):
        # along axes on which the numbers do not depend it does not matter how they are regrouped
        if all(array.shape[i] == 1 for i in ours):
            continue
        own, other = [here[i] for i in ours], [there[i] for i in theirs]
        if not all(isinstance(d, int) for d in (*own, *other)):
            told = _told_by_total(array, ours, own, other)
            repeated = _repeated(array, ours, own, other) if told is None else None
            if told is not None:
                own = told
            elif repeated is not None:
                array, own, other = repeated
            else:
                return None
        # Reshape makes this impossible in a run; sizes that were told may be false
        if math.prod(own) != math.prod(other):  # type: ignore[arg-type]
            return None
        pieces.append((ours, theirs, tuple(own)))  # type: ignore[arg-type]
        for i, dim in zip(theirs, other, strict=True):
            shape[i] = dim  # type: ignore[assignment]
    full = list(array.shape)
    for ours, _, own_dims in pieces:
        for i, dim in zip(ours, own_dims, strict=True):
            full[i] = dim
    return np.broadcast_to(array, full).reshape(shape)


def _told_by_total(
    array: Array, ours: range, own: Sequence[Extent], other: Sequence[Extent]
) -> list[Extent] | None:
    """The group's sizes where only inner ones are open, along which the array is constant.

    Both sides hold as many numbers: what is open is the total over what is known, whatever its
    parts. A Gemm with 36 rows behind [N, 4, H, W] tells that H * W = 9.
    """
    last = max(i for i in ours if array.shape[i] > 1) - ours.start
    outer = own[: last + 1]
    if not all(isinstance(d, int) for d in (*outer, *other)):
        return None
    total, known = math.prod(other), math.prod(outer)  # type: ignore[arg-type]
    if not known or total % known:
        return None
    return [*outer, total // known, *(1 for _ in own[last + 2 :])]


def _repeated(
    array: Array, ours: range, own: Sequence[Extent], other: Sequence[Extent]
) -> tuple[Array, list[Extent], list[Extent]] | None:
    """The array where a group's outer sizes are open: it repeats itself along the inner ones.

    What varies along inner axes of `own`, p numbers in all, is a function of the position modulo p.
    So it is along inner axes of `other` with q numbers, where p divides q.
    """
    first = next(i for i in ours if array.shape[i] > 1)
    inner = [d for d in own[first - ours.start :] if isinstance(d, int)]
    if len(inner) != ours.stop - first:
        return None
    before, behind = array.shape[: ours.start], array.shape[ours.stop :]
    full = (*array.shape[:first], *inner, *behind)
    period, ones = math.prod(inner), (1,) * (len(ours) - 1)
    flat = np.broadcast_to(array, full).reshape((*before, *ones, period, *behind))
    count = 1
    for k in reversed(range(len(other))):
        dim = other[k]
        if not isinstance(dim, int):
            return None
        count *= dim
        if count > 0 and count % period == 0:
            times = np.tile(
                flat, (*(1 for _ in before), *ones, count // period, *(1 for _ in behind))
            )
            return times, [*ones, count], [*(1 for _ in other[:k]), *other[k:]]
    return None


def _groups(here: Dims, there: Dims) -> list[tuple[range, range]]:
    """Groups of axes that hold the same numbers, from both ends; what is left is one group.

    Leading axes match while equal; trailing ones while products of static extents meet.
    """
    start = 0
    while (
        start < min(len(here), len(there))
        and here[start] is not None
        and here[start] == there[start]
    ):
        start += 1
    groups = [(range(i, i + 1), range(i, i + 1)) for i in range(start)]
    # from behind: both sides are counted up until they hold as many numbers, as row-major order has
    # the last axes move fastest; an open extent ends it, and what is before is one group
    i, j = len(here), len(there)
    tail: list[tuple[range, range]] = []
    while i > start and j > start:
        a, b = i - 1, j - 1
        left, right = here[a], there[b]
        while isinstance(left, int) and isinstance(right, int) and left != right:
            if left < right:
                a -= 1
                step = here[a] if a >= start else None
                left = left * step if isinstance(step, int) else None
            else:
                b -= 1
                step = there[b] if b >= start else None
                right = right * step if isinstance(step, int) else None
        if left is None or left != right:
            break
        tail.append((range(a, i), range(b, j)))
        i, j = a, b
    return [*groups, *tail, (range(start, i), range(start, j))]


RULES = (
    Rule("same", ("Identity", "Dropout"), backward=same_after, forward=same_before),
    Rule("layout", ("Transpose",), backward=transpose_after, forward=transpose_before),
    Rule(
        "layout",
        ("Reshape", "Flatten", "Squeeze", "Unsqueeze"),
        backward=reshape_after,
        forward=reshape_before,
    ),
)
