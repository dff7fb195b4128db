"""Convolutions of any rank as matrix products over strided views."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from bnfold.float64.call import Array, Call, Operator
from bnfold.float64.spatial import Window, pad_spatial, read_window, windows

_BUFFER_BYTES = 1 << 26  # of unrolled windows at one time


def conv(call: Call) -> Array:
    """Conv: W [Cout, Cin/g, *k], x [N, Cin, *spatial] -> [N, Cout, *out]."""
    x, W, bias = call[0], call[1], call.optional(2)
    window = read_window(call, W.shape[2:], x.shape[2:])
    y = convolve(x, W, window, call.integer("group", 1))
    return y if bias is None else _add_bias(y, bias)


def convolve(x: Array, W: Array, window: Window, group: int) -> Array:
    """The convolution itself, without a bias; x and W as in `conv`.

    Raises:
        ValueError: the channels do not fit the groups.
    """
    sizes = window.output_sizes(x.shape[2:])
    x = pad_spatial(x, window.pads_begin, window.pads_end, 0.0)
    if W.shape[1] * group != x.shape[1] or W.shape[0] % group:
        raise ValueError(f"a weight {list(W.shape)} does not fit {x.shape[1]} channels")
    if W.shape[1] == 1 and group > 1 and W.shape[0] == group:
        return _depthwise(x, W, window, sizes)
    y = np.empty((x.shape[0], W.shape[0], *sizes))
    if not y.size:
        return y
    view = windows(x, window, sizes)
    per_row = x.shape[1] * math.prod(sizes[1:]) * math.prod(window.kernel) * 8
    rows = max(_BUFFER_BYTES // max(per_row, 1), 1)
    if rows >= x.shape[0] * (sizes[0] if sizes else 1):
        y[...] = _multiply(view, W, group)
        return y
    for n in range(x.shape[0]):
        for row in range(0, sizes[0], rows):
            part = slice(n, n + 1), slice(None), slice(row, row + rows)
            y[part] = _multiply(view[part], W, group)
    return y


def _multiply(view: Array, W: Array, group: int) -> Array:
    """Windows [N, Cin, *out, *k] and W -> [N, Cout, *out], one matrix product per group."""
    rank = W.ndim - 2
    N, sizes = view.shape[0], view.shape[2 : 2 + rank]
    kernel_first = (0, 1, *range(2 + rank, 2 + 2 * rank), *range(2, 2 + rank))
    depth, width = W.shape[1] * math.prod(W.shape[2:]), math.prod(sizes)
    columns = view.transpose(kernel_first).reshape(N, group, depth, width)
    y: Array = W.reshape(group, W.shape[0] // group, depth) @ columns
    return y.reshape(N, W.shape[0], *sizes)


def _depthwise(x: Array, W: Array, window: Window, sizes: Sequence[int]) -> Array:
    """One filter per channel: tap by tap over all channels at once."""
    y = np.zeros((*x.shape[:2], *sizes))
    column = (-1, *[1] * len(sizes))
    for index in np.ndindex(*window.kernel):
        y += W[(slice(None), 0, *index)].reshape(column) * x[window.tap(index, sizes)]
    return y


def conv_transpose(call: Call) -> Array:
    """ConvTranspose: W [Cin, Cout/g, *k]; every tap adds a product to a strided slice of y."""
    x, W, bias = call[0], call[1], call.optional(2)
    group = call.integer("group", 1)
    window, out = _transposed_window(call, W.shape[2:], x.shape[2:])
    N, Cin, sizes = x.shape[0], x.shape[1], x.shape[2:]
    Cout = W.shape[1] * group
    full = [
        max((n - 1) * s + extent, o + b)
        for n, s, extent, o, b in zip(
            sizes, window.strides, window.extents(), out, window.pads_begin, strict=True
        )
    ]
    y = np.zeros((N, group, Cout // group, *full))
    columns = x.reshape(N, group, Cin // group, -1)
    blocks = W.reshape(group, Cin // group, Cout // group, *W.shape[2:]).swapaxes(1, 2)
    for index in np.ndindex(*window.kernel):
        product = blocks[(..., *index)] @ columns
        y[window.tap(index, sizes)] += product.reshape(N, group, -1, *sizes)
    crop = (slice(b, b + o) for b, o in zip(window.pads_begin, out, strict=True))
    y = y.reshape(N, Cout, *full)[(slice(None), slice(None), *crop)]
    return y if bias is None else _add_bias(y, bias)


def _transposed_window(
    call: Call, kernel: Sequence[int], sizes: Sequence[int]
) -> tuple[Window, list[int]]:
    """The window and the output sizes of a ConvTranspose.

    `output_shape` and SAME_* fix the output and leave the pads to be found; an odd pad goes to the
    end with SAME_UPPER and to the beginning otherwise. As in onnxruntime SAME_* never extends what
    the windows reach, so that a kernel shorter than its stride gives less than size * stride.
    """
    rank = len(sizes)
    strides = call.integers("strides") or [1] * rank
    dilations = call.integers("dilations") or [1] * rank
    extra = call.integers("output_padding") or [0] * rank
    pads = call.integers("pads") or [0] * (2 * rank)
    auto_pad, wanted = call.text("auto_pad", "NOTSET"), call.integers("output_shape")
    full = [
        (n - 1) * s + (k - 1) * d + 1 + o
        for n, s, k, d, o in zip(sizes, strides, kernel, dilations, extra, strict=True)
    ]
    begin, end = pads[:rank], pads[rank:]
    if wanted is None and auto_pad in ("SAME_UPPER", "SAME_LOWER"):
        wanted = [min(n * s, f) for n, s, f in zip(sizes, strides, full, strict=True)]
    if wanted is not None:
        wanted = wanted[-rank:]
        totals = [max(f - w, 0) for f, w in zip(full, wanted, strict=True)]
        small, large = [t // 2 for t in totals], [t - t // 2 for t in totals]
        begin, end = (small, large) if auto_pad == "SAME_UPPER" else (large, small)
    elif auto_pad == "VALID":
        begin = end = [0] * rank
    out = wanted or [f - b - e for f, b, e in zip(full, begin, end, strict=True)]
    window = Window(tuple(kernel), tuple(strides), tuple(dilations), tuple(begin), tuple(end))
    return window, out


def _add_bias(y: Array, bias: Array) -> Array:
    y += bias.reshape(-1, *[1] * (y.ndim - 2))
    return y


OPERATORS: Mapping[str, Operator] = {"Conv": conv, "ConvTranspose": conv_transpose}
