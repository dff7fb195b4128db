"""Pad with zeros, and Slice in space, as convolutions of one tap: they add or crop a border.

A border of -2 crops two positions: the one tap lies at 2, and not at 0. A Slice by steps is a
convolution by strides.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import attribute_of, input_of, is_op
from bnfold.fold.merge.kernel import Axis, Kernel
from bnfold.fold.numbers.exact import of_array

_TO_THE_END = 1 << 31  # exporters write numbers about so large for "as far as there is anything"

Indices = npt.NDArray[np.int64]


def border_kernel(node: ir.Node, facts: Facts) -> Kernel | None:
    """What the Pad or Slice is; None unless it adds zeros or crops, in space alone."""
    x = node.inputs[0]
    rank, channels = facts.rank(x), facts.dim(x, 1)
    dtype = None if x is None else facts.dtype(x)
    if (
        rank is None
        or rank < 3
        or channels is None
        or dtype is None
        or not dtype.is_floating_point()
    ):
        return None
    axes = _padded(node, rank, facts) if is_op(node, "Pad") else _sliced(node, rank, facts)
    if axes is None:
        return None
    one = of_array(np.ones((channels, 1, *(1 for _ in axes))), dtype)
    return Kernel(one, np.zeros(channels), channels, axes, macs=0)


def _padded(node: ir.Node, rank: int, facts: Facts) -> tuple[Axis, ...] | None:
    widths = _widths(node, rank, facts)
    if widths is None or np.any(widths[:, :2]) or not _adds_zeros(node, facts):
        return None
    return tuple(Axis(begin=int(b), end=int(e)) for b, e in widths.T[2:])


def _widths(node: ir.Node, rank: int, facts: Facts) -> Indices | None:
    """Pads `[2, rank]`, begins and ends; None where they are computed at run time."""
    pads = attribute_of(node, "pads", None)
    pads = facts.constant(input_of(node, 1)) if pads is None else pads
    given = input_of(node, 3)
    axes = np.arange(rank) if given is None else facts.constant(given)
    if pads is None or axes is None or np.size(pads) != 2 * np.size(axes):
        return None
    widths = np.zeros((2, rank), dtype=np.int64)
    widths[:, np.asarray(axes, dtype=np.int64).reshape(-1)] = np.reshape(pads, (2, -1))
    return widths


def _adds_zeros(node: ir.Node, facts: Facts) -> bool:
    if attribute_of(node, "mode", "constant") != "constant" or attribute_of(node, "value", 0.0):
        return False
    value = input_of(node, 2)
    constant = np.zeros(1) if value is None else facts.constant(value)
    return constant is not None and not np.any(constant)


def _sliced(node: ir.Node, rank: int, facts: Facts) -> tuple[Axis, ...] | None:
    bounds = [_bound(node, i, name, facts) for i, name in enumerate(_BOUNDS, start=1)]
    starts, ends = bounds[:2]
    if (
        starts is None
        or ends is None
        or any(b is None and input_of(node, i) is not None for i, b in enumerate(bounds, start=1))
    ):
        return None
    axes = np.arange(starts.size) if bounds[2] is None else bounds[2]
    steps = np.ones(starts.size, np.int64) if bounds[3] is None else bounds[3]
    found = [Axis()] * rank
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        cropped = _cropped(int(start), int(end), int(step), facts.dim(node.inputs[0], int(axis)))
        if cropped is None:
            return None
        found[int(axis)] = cropped
    return tuple(found[2:]) if found[:2] == [Axis(), Axis()] else None


_BOUNDS = ("starts", "ends", "axes", "steps")


def _bound(node: ir.Node, index: int, name: str, facts: Facts) -> Indices | None:
    stored = attribute_of(node, name, None)
    array = facts.constant(input_of(node, index)) if stored is None else np.asarray(stored)
    return None if array is None else array.reshape(-1)


def _cropped(start: int, end: int, step: int, size: int | None) -> Axis | None:
    """What is left of an axis; None where that depends on an open size, or runs backward."""
    if size is not None:
        start, end = (min(n + size if n < 0 else n, size) for n in (start, end))
        ends = end - size
    elif 0 <= end < _TO_THE_END - 1:
        return None
    else:
        ends = end if end < 0 else 0
    if step < 1 or start < 0 or (size is not None and start >= size + ends):
        return None
    return Axis(stride=step, begin=-start, end=ends)
