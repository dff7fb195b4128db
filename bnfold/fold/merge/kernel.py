"""A convolution as data: what it computes, its cost, and where its taps lie on its input.

Letters: x [N, Cin, *size], W [Cout, Cin/group, *kernel], b [Cout]. An affine, a mean over a window
and a product with a matrix (see `dense`, without axes in space) are convolutions too, so that
branches of all these kinds can be put together.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir

from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import attribute_of, is_op
from bnfold.fold.facts.window import is_larger_than_input, window_of
from bnfold.fold.moves.operands import bias_of
from bnfold.fold.numbers.affine import Affine, Array
from bnfold.fold.numbers.exact import Exact, of_array
from bnfold.fold.plan import NewNode, Operand, Refusal


@dataclass(frozen=True)
class Axis:
    """One spatial axis of a convolution; taps lie at `-begin, dilation - begin, ...`."""

    taps: int = 1
    stride: int = 1
    dilation: int = 1
    begin: int = 0
    end: int = 0

    @property
    def reach(self) -> int:
        """How far the last tap is from the first."""
        return (self.taps - 1) * self.dilation

    @property
    def excess(self) -> int:
        """Padding beyond what keeps the size: two axes of one stride and excess agree in size."""
        return self.begin + self.end - self.reach

    @property
    def is_padded(self) -> bool:
        """Whether a tap may see padding."""
        return self.begin > 0 or self.end > 0

    @property
    def is_cropped(self) -> bool:
        """Whether a border of x is left out, which no Conv does by itself."""
        return self.begin < 0 or self.end < 0

    def positions(self, size: int) -> int:
        """How many outputs an input of this size has."""
        return (size + self.excess - 1) // self.stride + 1


@dataclass(frozen=True, eq=False)
class Kernel:
    """A convolution with constants.

    Attributes:
        weight: W, before rounding.
        bias: b; zeros where there is none.
        group: as the attribute.
        axes: one for each spatial axis.
        macs: multiplications per output position that the graph pays for it; fewer than the weight
            has elements where the operator is no Conv.
    """

    weight: Exact
    bias: Array
    group: int
    axes: tuple[Axis, ...]
    macs: int

    @property
    def channels_out(self) -> int:
        """Cout."""
        return self.weight.shape[0]

    @property
    def channels_in(self) -> int:
        """Cin."""
        return self.weight.shape[1] * self.group

    @property
    def is_padded(self) -> bool:
        """Whether any tap may see padding."""
        return any(axis.is_padded for axis in self.axes)

    @property
    def is_cropped(self) -> bool:
        """Whether it leaves out a border of x."""
        return any(axis.is_cropped for axis in self.axes)

    @property
    def is_one_tap(self) -> bool:
        """Whether each position is made of one position of x, or of its padding."""
        return all(axis.taps == 1 for axis in self.axes)

    @property
    def is_enlarging(self) -> bool:
        """Whether it may have more positions than its input."""
        return any(axis.excess > 0 for axis in self.axes)

    def as_node(self, x: ir.Value | None) -> NewNode:
        """The Conv that computes it."""
        inputs: tuple[Operand, ...] = (x, self.weight)
        if np.any(self.bias):
            inputs = (*inputs, of_array(self.bias, self.weight.dtype))
        attributes: Mapping[str, Any] = {
            "dilations": [axis.dilation for axis in self.axes],
            "group": self.group,
            "kernel_shape": [axis.taps for axis in self.axes],
            "pads": [axis.begin for axis in self.axes] + [axis.end for axis in self.axes],
            "strides": [axis.stride for axis in self.axes],
        }
        return NewNode("Conv", inputs, attributes)


def kernel_of(node: ir.Node, facts: Facts) -> Kernel | None:
    """The convolution that a Conv or an AveragePool is; None where it is not known to be one."""
    if is_op(node, "Conv"):
        return _of_conv(node, facts)
    return _of_average_pool(node, facts) if is_op(node, "AveragePool") else None


def diagonal(affine: Affine, channels: int, like: Kernel) -> Kernel | None:
    """`s x + t` as a depthwise kernel of one tap; None if it varies along another axis.

    Args:
        affine: s and t.
        channels: how many.
        like: the convolution beside or behind it: it tells the axes and the dtype.
    """
    vectors = affine.channels(1 if like.axes else affine.rank - 1, channels)
    if vectors is None or (like.axes and affine.rank != len(like.axes) + 2):
        return None
    scale, shift = vectors
    axes = (Axis(),) * len(like.axes)
    weight = of_array(scale.reshape(-1, 1, *(1 for _ in axes)), like.weight.dtype)
    return Kernel(weight, np.array(shift), channels, axes, macs=0)


def macs_of(weight: Exact) -> int:
    """Multiplications per output position: Cout * Cin/group * taps."""
    return math.prod(weight.shape)


def _of_conv(node: ir.Node, facts: Facts) -> Kernel | None:
    weight = facts.exact(node.inputs[1])
    if weight is None or len(weight.shape) < 3:
        return None
    bias = bias_of(node, 2, weight.shape[0], facts)
    axes = _axes(node, weight.shape[2:], facts)
    if isinstance(bias, Refusal) or axes is None:
        return None
    return Kernel(weight, bias, attribute_of(node, "group", 1), axes, macs_of(weight))


def _of_average_pool(node: ir.Node, facts: Facts) -> Kernel | None:
    """The mean as a depthwise kernel of `1 / taps`, if every window divides by all its taps."""
    x = node.inputs[0]
    channels = facts.dim(x, 1)
    size = tuple(attribute_of(node, "kernel_shape", ()))
    dtype = None if x is None else facts.dtype(x)
    axes = _axes(node, size, facts)
    if channels is None or dtype is None or axes is None or attribute_of(node, "ceil_mode", 0):
        return None
    counts_padding = facts.opset() >= 7 and attribute_of(node, "count_include_pad", 0) == 1
    if any(axis.is_padded for axis in axes) and not counts_padding:
        return None
    mean = np.full((channels, 1, *size), 1 / math.prod(size))
    return Kernel(of_array(mean, dtype), np.zeros(channels), channels, axes, macs=0)


def _axes(node: ir.Node, size: tuple[int, ...], facts: Facts) -> tuple[Axis, ...] | None:
    """None where padding follows from an unknown shape, or crops."""
    window = window_of(node, size, facts)
    if window.begins is None or window.ends is None:
        return None
    if any(p < 0 for p in (*window.begins, *window.ends)):
        return None
    if is_larger_than_input(node, window, facts):
        return None
    columns = (window.kernel, window.strides, window.dilations, window.begins, window.ends)
    return tuple(Axis(*column) for column in zip(*columns, strict=True))
