"""Slices, gathers and scatters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from bnfold.float64.call import Array, Call, Operator

_TO_THE_END = (2**31 - 1, 2**63 - 1)
"""Ends that mean the last entry in the direction of the steps."""


def cut(extent: int, start: int, end: int, step: int) -> slice:
    """The Python slice for the bounds of a Slice, which count from the end if negative.

    They are clamped: a start before the first entry is the first one, backwards too. By its text
    ONNX clamps the largest integers to the last entry backwards too, so that nothing is taken;
    onnxruntime goes to the front.
    """
    if step < 0 and end in _TO_THE_END:
        end = -extent - 1
    start, end = (v + extent if v < 0 else v for v in (start, end))
    if step > 0:
        return slice(min(max(start, 0), extent), min(max(end, 0), extent), step)
    start, end = min(max(start, 0), extent - 1), min(max(end, -1), extent - 1)
    return slice(start, None if end < 0 else end, step)


def slice_(call: Call) -> Array:
    """Slice; the ranges are attributes before opset 10 and inputs since."""
    x = call[0]
    if call.opset < 10:
        starts, ends = call.integers("starts") or [], call.integers("ends") or []
        axes, steps = call.integers("axes"), None
    else:
        starts, ends = call[1].tolist(), call[2].tolist()
        axes, steps = (None if v is None else v.tolist() for v in map(call.optional, (3, 4)))
    cuts = [slice(None)] * x.ndim
    axes = list(range(len(starts))) if axes is None else axes
    for axis, start, end, step in zip(axes, starts, ends, steps or [1] * len(axes), strict=True):
        cuts[axis] = cut(x.shape[axis], start, end, step)
    return x[tuple(cuts)]


def gather(call: Call) -> Array:
    """Gather: x [*a, n, *b] at indices [*i] along `axis` -> [*a, *i, *b]; -1 is the last.

    Source: ONNX operators, Gather-13.
    """
    return np.asarray(np.take(call[0], call[1], axis=call.integer("axis", 0)))


def gather_elements(call: Call) -> Array:
    """GatherElements: y = x at its own place but for `axis`, where indices say; shaped like them.

    Source: ONNX operators, GatherElements-13.
    """
    return _at(call[0], call[1], call.integer("axis", 0))


def _along(indices: Array, x: Array, axis: int) -> tuple[Array, ...]:
    """Coordinates of every element that indices along one axis point at."""
    at: list[Array] = list(np.indices(indices.shape, sparse=True))
    if np.any(indices < -x.shape[axis]):
        raise IndexError(
            f"an index is below -{x.shape[axis]}"
        )  # numpy counts back once, as ONNX does
    at[axis] = indices
    return tuple(at)


def _at(x: Array, indices: Array, axis: int) -> Array:
    return np.asarray(x[_along(indices, x, axis % x.ndim)])


def gather_nd(call: Call) -> Array:
    """GatherND: x [*batch, *n, *rest] at indices [*batch, *i, len(n)] -> [*batch, *i, *rest].

    Source: ONNX operators, GatherND-13.
    """
    x, indices, batch = call[0], call[1], call.integer("batch_dims", 0)
    grids: tuple[Array, ...] = np.indices(indices.shape[:batch], sparse=True)
    trailing = [1] * (indices.ndim - 1 - batch)
    leading = tuple(g.reshape(*g.shape, *trailing) for g in grids)
    return np.asarray(x[(*leading, *np.moveaxis(indices, -1, 0))])


_COMBINE: Mapping[str, Callable[[Array, Any, Array], None]] = {
    "none": lambda y, at, updates: y.__setitem__(at, updates),
    "add": np.add.at,
    "mul": np.multiply.at,
    "max": np.maximum.at,
    "min": np.minimum.at,
}


def scatter_elements(call: Call) -> Array:
    """ScatterElements and the older Scatter."""
    y, axis = call[0].copy(), call.integer("axis", 0)
    at = np.broadcast_arrays(*_along(call[1], y, axis % y.ndim))
    _COMBINE[call.text("reduction", "none")](y, tuple(at), call[2])
    return y


def scatter_nd(call: Call) -> Array:
    """ScatterND: x with updates [*i, *rest] put, or combined, at indices [*i, depth].

    Source: ONNX operators, ScatterND-18.
    """
    y = call[0].copy()
    _COMBINE[call.text("reduction", "none")](y, tuple(np.moveaxis(call[1], -1, 0)), call[2])
    return y


def non_zero(call: Call) -> Array:
    """NonZero: the coordinates of what is not 0, [rank, count], in row-major order.

    Source: ONNX operators, NonZero-13.
    """
    return np.asarray(np.nonzero(np.atleast_1d(call[0])), np.int64)


def compress(call: Call) -> Array:
    """Compress: the slices along `axis`, or elements of the flat value, where a mask is true.

    Source: ONNX operators, Compress-11.
    """
    return np.compress(call[1], call[0], axis=call.attributes.get("axis"))  # type: ignore[call-overload,no-any-return]


def one_hot(call: Call) -> Array:
    """OneHot; an index out of range gives a row of off values."""
    indices, depth, (off, on) = call[0].astype(np.int64), int(call[1].reshape(())), call[2]
    axis = call.integer("axis", -1)
    hot = np.where(indices < 0, indices + depth, indices)[..., None] == np.arange(depth)
    return np.moveaxis(np.where(hot, on, off).astype(call[2].dtype), -1, axis)


def trilu(call: Call) -> Array:
    """Trilu: [*, M, N] with what lies below (`upper`) or above the kth diagonal set to 0.

    Source: ONNX operators, Trilu-14.
    """
    k = call.optional(1)
    keep = np.triu if call.integer("upper", 1) else np.tril
    return np.asarray(keep(call[0], 0 if k is None else int(k.reshape(()))))


def unique(call: Call) -> Sequence[Array]:
    """Unique elements, or slices along `axis`: sorted, or in the order of their first places.

    Also where each is first, which of them each element is, and how often each is there.
    """
    axis = None if call.attributes.get("axis") is None else call.integer("axis", 0)
    x = call[0].reshape(-1) if axis is None else call[0]
    axis = 0 if axis is None else axis % x.ndim
    y, first, inverse, counts = np.unique(
        x, return_index=True, return_inverse=True, return_counts=True, axis=axis
    )
    if not call.integer("sorted", 1):
        order = np.argsort(first)
        place = np.empty_like(order)
        place[order] = np.arange(order.size)
        y, first, counts = np.take(y, order, axis), first[order], counts[order]
        inverse = place[inverse]
    positions = [np.asarray(v, np.int64).reshape(-1) for v in (first, inverse, counts)]
    return [y, *positions][: call.n_outputs]


OPERATORS: Mapping[str, Operator] = {
    "Compress": compress,
    "Gather": gather,
    "GatherElements": gather_elements,
    "GatherND": gather_nd,
    "NonZero": non_zero,
    "OneHot": one_hot,
    "Scatter": scatter_elements,
    "ScatterElements": scatter_elements,
    "ScatterND": scatter_nd,
    "Slice": slice_,
    "Trilu": trilu,
    "Unique": unique,
}
