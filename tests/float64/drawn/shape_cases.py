"""Copies: operators that rearrange, cut, look up and fill."""

from __future__ import annotations

import numpy as np

from tests.float64.drawn.case import Array, Case, Dice, Draw


def any_value(dice: Dice, low: int = 1, high: int = 4) -> Array:
    shape = dice.shape(low, high)
    return dice.real(*shape) if dice.maybe(0.7) else dice.ints(-9, 9, *shape)


def slice_(dice: Dice) -> Case:
    x = any_value(dice)
    axes = dice.axes(x.ndim)
    starts, ends = (dice.ints(-8, 8, len(axes)) for _ in range(2))
    if dice.maybe(0.2):
        named = {"axes": [a % x.ndim for a in axes]}
        return Case([x], {"starts": starts.tolist(), "ends": ends.tolist(), **named}, opset=9)
    steps = np.array([dice.pick(1, 2, 3, 7, -1, -2, -3) for _ in axes])
    ends = np.array([dice.pick(int(e), int(e), 2**62, -(2**62)) for e in ends])
    more = [steps] if dice.maybe(0.8) else []
    return Case([x, starts, ends, np.array(axes), *more], opset=dice.pick(10, 13))


def gather(dice: Dice) -> Case:
    x = any_value(dice)
    axis = dice.whole(-x.ndim, x.ndim - 1)
    n = x.shape[axis]
    return Case([x, dice.ints(-n, n - 1, *dice.shape(0, 2))], {"axis": axis}, opset=13)


def gather_elements(dice: Dice) -> Case:
    x = any_value(dice)
    axis = dice.whole(-x.ndim, x.ndim - 1)
    shape = [dice.whole(1, n) for n in x.shape]
    n = x.shape[axis]
    return Case([x, dice.ints(-n, n - 1, *shape)], {"axis": axis}, opset=13)


def _coordinates(dice: Dice, extents: tuple[int, ...], *lead: int) -> Array:
    return np.stack([dice.ints(-n, n - 1, *lead) for n in extents], axis=-1)


def gather_nd(dice: Dice) -> Case:
    x = any_value(dice, 2, 4)
    batch = dice.whole(0, x.ndim - 1)
    depth = dice.whole(1, x.ndim - batch)
    lead = (*x.shape[:batch], *dice.shape(0, 2, 3))
    at = _coordinates(dice, x.shape[batch : batch + depth], *lead)
    return Case([x, at], {"batch_dims": batch} if batch else {}, opset=13)


REDUCTIONS = ("none", "add", "mul", "max", "min")


def scatter_elements(dice: Dice) -> Case:
    x = any_value(dice)
    axis = dice.whole(-x.ndim, x.ndim - 1)
    n = x.shape[axis]
    reduction = dice.pick(*REDUCTIONS)
    shape = [dice.whole(1, m) for m in x.shape]
    if reduction == "none":  # the order of two writes to one place is nobody's promise
        shape = [m if a != axis % x.ndim else 1 for a, m in enumerate(shape)]
    updates = np.asarray(dice.real(*shape) * 4).astype(x.dtype)
    return Case([x, dice.ints(-n, n - 1, *shape), updates], {"axis": axis, "reduction": reduction})


def scatter(dice: Dice) -> Case:
    x = dice.real(*dice.shape())
    shape = [1, *(dice.whole(1, n) for n in x.shape[1:])]
    at = dice.ints(0, x.shape[0] - 1, *shape)
    return Case([x, at, dice.real(*shape)], {"axis": 0}, opset=10)


def scatter_nd(dice: Dice) -> Case:
    x = any_value(dice)
    depth, reduction = dice.whole(1, x.ndim), dice.pick(*REDUCTIONS)
    count = 1 if reduction == "none" else dice.whole(1, 3)
    at = _coordinates(dice, x.shape[:depth], count)
    updates = np.asarray(dice.real(count, *x.shape[depth:]) * 4).astype(x.dtype)
    return Case([x, at, updates], {"reduction": reduction})


def one_hot(dice: Dice) -> Case:
    at = dice.ints(-6, 6, *dice.shape(0, 2))
    values = dice.pick(dice.real(2), dice.ints(-3, 3, 2))
    options = dice.some(axis=lambda: dice.whole(-at.ndim - 1, at.ndim))
    return Case([at, np.asarray(dice.whole(1, 5)), values], options, opset=11)


def compress(dice: Dice) -> Case:
    x = any_value(dice)
    options = dice.some(axis=lambda: dice.whole(-x.ndim, x.ndim - 1))
    n = x.shape[options["axis"]] if options else x.size
    return Case([x, dice.ints(0, 1, dice.whole(1, n), dtype=np.bool_)], options, opset=11)


def trilu(dice: Dice) -> Case:
    x = any_value(dice, 2, 4)
    k = [np.asarray(dice.whole(-4, 4))] if dice.maybe() else []
    return Case([x, *k], dice.some(upper=lambda: dice.whole(0, 1)), opset=14)


def reshape(dice: Dice) -> Case:
    x = any_value(dice)
    target = list(x.shape) if dice.maybe(0.3) else [int(n) for n in dice.permutation(x.shape)]
    if dice.maybe():
        target[dice.whole(0, len(target) - 1)] = -1
    elif dice.maybe():
        at = dice.whole(0, len(target) - 1)
        target[at] = 0 if target[at] == x.shape[at] else target[at]
    return Case([x, np.array(target)], opset=13)


def squeeze(dice: Dice) -> Case:
    x = dice.real(*(1 if dice.maybe() else 3 for _ in range(dice.whole(1, 4))))
    ones = [a for a, n in enumerate(x.shape) if n == 1]
    if not ones or dice.maybe(0.3):
        return Case([x], opset=13)
    axes = ones[: dice.whole(1, len(ones))]
    return Case([x, np.array([a - dice.pick(0, x.ndim) for a in axes])], opset=13)


def unsqueeze(dice: Dice) -> Case:
    x = any_value(dice, 0, 3)
    count = dice.whole(1, 2)
    axes = dice.permutation(x.ndim + count)[:count]
    return Case([x, np.array([a - dice.pick(0, x.ndim + count) for a in axes])], opset=13)


def concat(dice: Dice) -> Case:
    shape = list(dice.shape(1, 4))
    axis = dice.whole(-len(shape), len(shape) - 1)
    parts = []
    for _ in range(dice.whole(1, 3)):
        shape[axis] = dice.whole(0, 3)
        parts.append(dice.real(*shape))
    return Case(parts, {"axis": axis}, opset=13)


def split(dice: Dice) -> Case:
    x = any_value(dice)
    axis = dice.whole(-x.ndim, x.ndim - 1)
    n = x.shape[axis]
    if dice.maybe():
        cut = dice.whole(0, n)
        return Case([x, np.array([cut, n - cut])], {"axis": axis}, opset=13, n_outputs=2)
    parts = dice.whole(1, n)
    step = -(-n // parts)
    if step * (parts - 1) > n:
        parts = 1
    attributes = {"axis": axis, "num_outputs": parts}
    return Case([x], attributes, opset=18, n_outputs=parts)


def expand(dice: Dice) -> Case:
    full = dice.shape(1, 4)
    x = dice.real(*[n if dice.maybe() else 1 for n in full][dice.whole(0, 1) :])
    target = [n if dice.maybe(0.8) else 1 for n in full]
    return Case([x, np.array(target)], opset=13)


def tile(dice: Dice) -> Case:
    x = any_value(dice)
    return Case([x, dice.ints(0, 3, x.ndim)], opset=13)


def shape(dice: Dice) -> Case:
    bounds = dice.some(start=lambda: dice.whole(-5, 5), end=lambda: dice.whole(-5, 5))
    return Case([any_value(dice)], bounds, opset=15)


def flatten(dice: Dice) -> Case:
    x = any_value(dice)
    return Case([x], dice.some(axis=lambda: dice.whole(-x.ndim, x.ndim)), opset=13)


def transpose(dice: Dice) -> Case:
    x = any_value(dice)
    return Case([x], dice.some(perm=lambda: dice.permutation(x.ndim).tolist()), opset=13)


def range_(dice: Dice) -> Case:
    start, stop, step = dice.whole(-9, 9), dice.whole(-9, 9), dice.pick(1, 2, 3, -1, -2)
    dtype = dice.pick(np.int64, np.int32, np.float32)
    factor = dice.pick(0.5, 0.25) if dtype == np.float32 else 1
    return Case([np.asarray(v * factor, dtype) for v in (start, stop, step)], opset=11)


def eye_like(dice: Dice) -> Case:
    x = dice.real(dice.whole(1, 5), dice.whole(1, 5))
    return Case([x], dice.some(k=lambda: dice.whole(-3, 3), dtype=lambda: 7), opset=9)


def non_zero(dice: Dice) -> Case:
    return Case([dice.ints(-1, 1, *dice.shape(1, 3), dtype=np.float32)], opset=13)


def unique(dice: Dice) -> Case:
    x = dice.ints(-2, 2, *dice.shape(1, 3, 4), dtype=np.float32)
    options = dice.some(
        sorted=lambda: dice.whole(0, 1), axis=lambda: dice.whole(-x.ndim, x.ndim - 1)
    )
    return Case([x], options, opset=11, n_outputs=4)


def reverse_sequence(dice: Dice) -> Case:
    T, B = dice.whole(1, 5), dice.whole(1, 4)
    by_time = dice.maybe()
    x = dice.real(*((T, B) if by_time else (B, T)), 2)
    axes = {"time_axis": 0, "batch_axis": 1} if by_time else {"time_axis": 1, "batch_axis": 0}
    return Case([x, dice.ints(1, T, B)], axes, opset=10)


def constant_of_shape(dice: Dice) -> Case:
    options = dice.some(value=lambda: np.array([3], dice.pick(np.int64, np.float32)))
    return Case([np.array(dice.shape(0, 3))], options, opset=9)


def det(dice: Dice) -> Case:
    n = dice.whole(1, 4)
    return Case([dice.real(*dice.shape(0, 2), n, n)], opset=11, tolerance=2e-5)


def nms(dice: Dice) -> Case:
    count = dice.whole(1, 8)
    corner = dice.number(0, 4, 1, count, 2)
    boxes = np.concatenate([corner, corner + dice.number(1, 4, 1, count, 2)], 2)
    scores = dice.distinct(1, dice.whole(1, 3), count) / 24
    limits = [np.array([dice.whole(1, 5)]), np.array([0.4], np.float32)]
    more = [np.array([0.2], np.float32)] if dice.maybe() else []
    centred = dice.some(center_point_box=lambda: 1)
    return Case([boxes, scores, *limits, *more], centred, opset=11)


CASES: dict[str, Draw] = {
    "Slice": slice_,
    "Gather": gather,
    "GatherElements": gather_elements,
    "GatherND": gather_nd,
    "ScatterElements": scatter_elements,
    "Scatter": scatter,
    "ScatterND": scatter_nd,
    "OneHot": one_hot,
    "Compress": compress,
    "Trilu": trilu,
    "Reshape": reshape,
    "Squeeze": squeeze,
    "Unsqueeze": unsqueeze,
    "Concat": concat,
    "Split": split,
    "Expand": expand,
    "Tile": tile,
    "Shape": shape,
    "Size": lambda dice: Case([any_value(dice, 0)]),
    "Flatten": flatten,
    "Transpose": transpose,
    "Range": range_,
    "EyeLike": eye_like,
    "NonZero": non_zero,
    "Unique": unique,
    "ReverseSequence": reverse_sequence,
    "ConstantOfShape": constant_of_shape,
    "Det": det,
    "NonMaxSuppression": nms,
}
