"""Windows over the spatial axes: what convolutions and pools have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from bnfold.float64.call import Array, Call


@dataclass(frozen=True)
class Window:
    """A window that slides over r spatial axes; every field has one entry per axis."""

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads_begin: tuple[int, ...]
    pads_end: tuple[int, ...]

    def extents(self) -> list[int]:
        """How far a window reaches: (kernel - 1) * dilation + 1."""
        return [(k - 1) * d + 1 for k, d in zip(self.kernel, self.dilations, strict=True)]

    def output_sizes(self, sizes: Sequence[int]) -> list[int]:
        """How many whole windows fit on each axis."""
        reach = zip(
            sizes, self.pads_begin, self.pads_end, self.extents(), self.strides, strict=True
        )
        return [max((n + b + e - extent) // s + 1, 0) for n, b, e, extent, s in reach]

    def tap(self, index: Sequence[int], output_sizes: Sequence[int]) -> Any:
        """Where one tap of the kernel reads the padded value, for all windows at once."""
        steps = zip(index, self.dilations, self.strides, output_sizes, strict=True)
        return (..., *(slice(i * d, i * d + max((n - 1) * s + 1, 0), s) for i, d, s, n in steps))


def read_window(call: Call, kernel: Sequence[int], sizes: Sequence[int]) -> Window:
    """The window that `kernel_shape`, `strides`, `dilations`, `pads` and `auto_pad` describe.

    With SAME_*, as in onnxruntime, `ceil(size / stride)` windows fit; an odd pad goes to the end
    (SAME_UPPER) or to the beginning (SAME_LOWER). Where the stride passes the kernel by three or
    more the first window begins inside the value.
    """
    rank = len(sizes)
    strides = call.integers("strides") or [1] * rank
    dilations = call.integers("dilations") or [1] * rank
    auto_pad = call.text("auto_pad", "NOTSET")
    pads = call.integers("pads") or [0] * (2 * rank)
    begin, end = pads[:rank], pads[rank:]
    if auto_pad == "VALID":
        begin = end = [0] * rank
    elif auto_pad in ("SAME_UPPER", "SAME_LOWER"):
        extents = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
        totals = same_totals(extents, strides, sizes)
        begin, end = halves(auto_pad, [t + (t < 0) for t in totals])
    return Window(tuple(kernel), tuple(strides), tuple(dilations), tuple(begin), tuple(end))


def same_totals(extents: Sequence[int], strides: Sequence[int], sizes: Sequence[int]) -> list[int]:
    """What SAME_* pads on both ends together; negative where the windows leave elements out."""
    return [
        (-(-n // s) - 1) * s + extent - n
        for n, s, extent in zip(sizes, strides, extents, strict=True)
    ]


def halves(auto_pad: str, totals: Sequence[int]) -> tuple[list[int], list[int]]:
    """The pads at the beginning and at the end, divided as C++ does: towards zero."""
    extra = 1 if auto_pad == "SAME_LOWER" else 0
    begin = [int((t + extra) / 2) for t in totals]
    return begin, [t - b for t, b in zip(totals, begin, strict=True)]


def pad_spatial(x: Array, begin: Sequence[int], end: Sequence[int], value: float) -> Array:
    """`x` with its last axes padded by a constant; a negative pad crops; no pads, no copy."""
    if not any(begin) and not any(end):
        return x
    first = x.ndim - len(begin)
    shape = list(x.shape)
    source, target = [slice(None)] * x.ndim, [slice(None)] * x.ndim
    for axis, (b, e) in enumerate(zip(begin, end, strict=True), start=first):
        shape[axis] = max(x.shape[axis] + b + e, 0)
        source[axis] = slice(max(-b, 0), x.shape[axis] - max(-e, 0))
        target[axis] = slice(max(b, 0), max(shape[axis] - max(e, 0), 0))
    padded = np.full(shape, value, x.dtype)
    padded[tuple(target)] = x[tuple(source)]
    return padded


def windows(x: Array, window: Window, output_sizes: Sequence[int]) -> Array:
    """A read-only view [N, C, *out, *kernel] of a padded [N, C, *spatial]; nothing is copied."""
    spatial = x.strides[2:]
    over_output = [b * s for b, s in zip(spatial, window.strides, strict=True)]
    over_kernel = [b * d for b, d in zip(spatial, window.dilations, strict=True)]
    return as_strided(
        x,
        (*x.shape[:2], *output_sizes, *window.kernel),
        (*x.strides[:2], *over_output, *over_kernel),
        writeable=False,
    )
