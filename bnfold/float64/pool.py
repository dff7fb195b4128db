"""Pools: taps are combined over all windows at once, so that memory follows the output."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bnfold.float64.call import Array, Call, Operator
from bnfold.float64.moments import mean
from bnfold.float64.spatial import Window, halves, pad_spatial, read_window, same_totals, windows


def _pool_window(call: Call, sizes: Sequence[int]) -> tuple[Window, list[int]]:
    """The window, and how many of them there are: onnxruntime's rules.

    With `ceil_mode` a last window may reach over the end, if it begins inside the value or its
    leading pad. A window that is too long for the value by less than a stride is there once.
    """
    window = _read_window(call, sizes)
    rounds_up = bool(call.integer("ceil_mode", 0))
    counts = []
    for axis, (size, extent) in enumerate(zip(sizes, window.extents(), strict=True)):
        begin, stride = window.pads_begin[axis], window.strides[axis]
        room = size + begin + window.pads_end[axis] - extent
        # towards 0, as C++ divides: of a window that is longer than the value one is left
        count = (math.ceil(room / stride) if rounds_up else int(room / stride)) + 1
        beyond = rounds_up and (count - 1) * stride >= size + begin
        counts.append(max(count - beyond, 0))
    return window, counts


def _read_window(call: Call, sizes: Sequence[int]) -> Window:
    """As for a convolution, but that SAME_* looks at the kernel without its holes.

    So does onnxruntime.
    """
    kernel = call.integers("kernel_shape") or []
    window = read_window(call, kernel, sizes)
    auto_pad = call.text("auto_pad", "NOTSET")
    if auto_pad not in ("SAME_UPPER", "SAME_LOWER"):
        return window
    begin, end = halves(auto_pad, same_totals(kernel, window.strides, sizes))
    return dataclasses.replace(window, pads_begin=tuple(begin), pads_end=tuple(end))


def _padded(x: Array, window: Window, counts: Sequence[int], value: float) -> Array:
    """`x` padded so far that every counted window reads something."""
    ends = [
        max((n - 1) * s + extent - size - b, e)
        for n, s, extent, size, b, e in zip(
            counts,
            window.strides,
            window.extents(),
            x.shape[2:],
            window.pads_begin,
            window.pads_end,
            strict=True,
        )
    ]
    return pad_spatial(x, window.pads_begin, ends, value)


def max_pool(call: Call) -> Array | Sequence[Array]:
    """MaxPool, with the indices of the maxima where a second output asks for them."""
    x = call[0]
    window, counts = _pool_window(call, x.shape[2:])
    lowest = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
    padded = _padded(x, window, counts, lowest)
    y = np.full((*x.shape[:2], *counts), lowest, x.dtype)
    for index in np.ndindex(*window.kernel):
        np.maximum(y, padded[window.tap(index, counts)], out=y)
    return y if call.n_outputs < 2 else [y, _positions_of_maxima(call, padded, window, counts)]


def _positions_of_maxima(call: Call, padded: Array, window: Window, counts: Sequence[int]) -> Array:
    """Flat indices into the unpadded value; column-major in space with `storage_order = 1`."""
    sizes, rank = call[0].shape[2:], len(counts)
    view = windows(padded, window, counts)
    taps = view.reshape(*view.shape[: 2 + rank], math.prod(window.kernel)).argmax(axis=-1)
    planes = np.arange(view.shape[0] * view.shape[1]).reshape(*view.shape[:2], *[1] * rank)
    flat = planes * math.prod(sizes)
    column_major = call.integer("storage_order", 0)
    for axis, tap in enumerate(np.unravel_index(taps, window.kernel)):
        first = np.arange(counts[axis]) * window.strides[axis] - window.pads_begin[axis]
        at = first.reshape(-1, *[1] * (rank - 1 - axis)) + tap * window.dilations[axis]
        flat = flat + at * math.prod(sizes[:axis] if column_major else sizes[axis + 1 :])
    return np.asarray(flat, np.int64)


def average_pool(call: Call) -> Array:
    """AveragePool.

    The divisor counts the taps inside the value, with `count_include_pad` also those on the pads
    that the node names, never those that only `ceil_mode` adds: as onnxruntime does. A lone window
    that is too long for the value counts all of its taps, before opset 19.
    """
    x = call[0]
    window, counts = _pool_window(call, x.shape[2:])
    x, window = _without_cropped_end(x, window)
    total = _sum_of_taps(_padded(x, window, counts, 0.0), window, counts)
    include_pad = bool(call.integer("count_include_pad", 0))
    for axis, n in enumerate(x.shape[2:]):
        taps = _taps_inside(window, axis, counts[axis], n, include_pad, call.opset < 19)
        total /= np.maximum(taps, 1).reshape(-1, *[1] * (x.ndim - 3 - axis))
    return total


def _without_cropped_end(x: Array, window: Window) -> tuple[Array, Window]:
    """Without what a negative pad cuts off at the end: taps between holes could still read it."""
    cuts = [slice(None, n + min(e, 0)) for n, e in zip(x.shape[2:], window.pads_end, strict=True)]
    ends = tuple(max(e, 0) for e in window.pads_end)
    at: Any = (..., *cuts)
    return x[at], dataclasses.replace(window, pads_end=ends)


def _sum_of_taps(padded: Array, window: Window, counts: Sequence[int]) -> Array:
    total = np.zeros((*padded.shape[:2], *counts))
    for index in np.ndindex(*window.kernel):
        total += padded[window.tap(index, counts)]
    return total


def _taps_inside(
    window: Window, axis: int, count: int, size: int, include_pad: bool, old: bool
) -> Array:
    """How many taps of each window lie on the value (and its pads), along one axis."""
    begin, end = window.pads_begin[axis], window.pads_end[axis]
    at = np.arange(count)[:, None] * window.strides[axis] - begin
    at = at + np.arange(window.kernel[axis]) * window.dilations[axis]
    # before opset 19 onnxruntime divides a lone window by its taps, wherever they lie
    reach = max(size + end, window.extents()[axis] - begin) if old and count == 1 else size + end
    low, high = (-begin, reach) if include_pad else (0, size)
    return np.asarray(np.sum((at >= low) & (at < high), axis=1))


def lp_pool(call: Call) -> Array:
    """LpPool: (sum |x|^p)^(1/p)."""
    x, p = call[0], call.integer("p", 2)
    window, counts = _pool_window(call, x.shape[2:])
    powers = _padded(np.abs(x) ** p, window, counts, 0.0)
    y: Array = _sum_of_taps(powers, window, counts) ** (1 / p)
    return y


def max_unpool(call: Call) -> Array:
    """MaxUnpool: each value goes to its flat index into the output, which is 0 elsewhere.

    The output is as large as the MaxPool's input was at least, or as the third input says.
    """
    x, given = call[0], call.optional(2)
    kernel = call.integers("kernel_shape") or []
    rank = len(kernel)
    strides, pads = call.integers("strides") or [1] * rank, call.integers("pads") or [0] * 2 * rank
    spatial = [
        (n - 1) * s + k - pads[axis] - pads[axis + rank]
        for axis, (n, s, k) in enumerate(zip(x.shape[2:], strides, kernel, strict=True))
    ]
    sizes = [*x.shape[:2], *spatial] if given is None else [int(n) for n in given]
    y = np.zeros(math.prod(sizes), x.dtype)
    y[call[1].reshape(-1)] = x.reshape(-1)
    return y.reshape(sizes)


def _spatial_axes(call: Call) -> tuple[int, ...]:
    return tuple(range(2, call[0].ndim))


def global_average_pool(call: Call) -> Array:
    """GlobalAveragePool: the mean over space, [N, C, *spatial] -> [N, C, 1, ...].

    Source: ONNX operators, GlobalAveragePool-1.
    """
    return mean(call[0], _spatial_axes(call))


def global_max_pool(call: Call) -> Array:
    """GlobalMaxPool: the maximum over space, [N, C, *spatial] -> [N, C, 1, ...].

    Source: ONNX operators, GlobalMaxPool-1.
    """
    return np.asarray(call[0].max(axis=_spatial_axes(call), keepdims=True))


def global_lp_pool(call: Call) -> Array:
    """GlobalLpPool: (sum |x|^p)^(1/p) over space, [N, C, *spatial] -> [N, C, 1, ...].

    Source: ONNX operators, GlobalLpPool-2.
    """
    p = call.integer("p", 2)
    powers = np.abs(call[0]) ** p
    return np.asarray(powers.sum(axis=_spatial_axes(call), keepdims=True) ** (1 / p))


OPERATORS: Mapping[str, Operator] = {
    "AveragePool": average_pool,
    "GlobalAveragePool": global_average_pool,
    "GlobalLpPool": global_lp_pool,
    "GlobalMaxPool": global_max_pool,
    "LpPool": lp_pool,
    "MaxPool": max_pool,
    "MaxUnpool": max_unpool,
}
