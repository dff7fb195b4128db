"""A convolution as data: what it computes, its cost, and where its taps lie on its input.

Letters: x [N, Cin, *size], W [Cout, Cin/group, *kernel], b [Cout]. An affine, a mean over a window
and a product with a matrix (see `dense`, without axes in space) are convolutions too, so that
branches of all these kinds can be put together. So is the transpose of one, see `transposed`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir

from bnfold.fold.numbers.affine import Affine, Array
from bnfold.fold.numbers.exact import Exact, of_array
from bnfold.fold.plan import NewNode, Operand


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
    """A convolution with constants, or the transpose of one.

    Attributes:
        weight: W, before rounding; of a transposed one [Cin, Cout/group, *kernel].
        bias: b; zeros where there is none.
        group: as the attribute.
        axes: one for each spatial axis; of a transposed one, where taps lie on what it makes.
        macs: multiplications per output position (of a transposed one, per position of x) that the
            graph pays for it; fewer than the weight has elements where the operator is no Conv.
        is_transposed: whether it makes the inputs of the convolution from its outputs.
    """

    weight: Exact
    bias: Array
    group: int
    axes: tuple[Axis, ...]
    macs: int
    is_transposed: bool = False

    @property
    def rows(self) -> int:
        """The outputs of the convolution, or of that whose transpose it is."""
        return self.weight.shape[0]

    @property
    def columns(self) -> int:
        """The inputs of that convolution."""
        return self.weight.shape[1] * self.group

    @property
    def channels_out(self) -> int:
        """Cout."""
        return self.columns if self.is_transposed else self.rows

    @property
    def channels_in(self) -> int:
        """Cin."""
        return self.rows if self.is_transposed else self.columns

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

    @property
    def is_an_operator(self) -> bool:
        """Whether a Conv or ConvTranspose computes it: that can have borders only of this kind."""
        if self.is_transposed:
            # room behind is what output_padding makes, which has to be smaller than the stride
            return all(axis.begin >= 0 and -axis.end < axis.stride for axis in self.axes)
        return not self.is_cropped

    def as_node(self, x: ir.Value | None) -> NewNode:
        """The Conv or ConvTranspose that computes it."""
        inputs: tuple[Operand, ...] = (x, self.weight)
        if np.any(self.bias):  # of zeros it would be one more tensor, and an addition
            inputs = (*inputs, of_array(self.bias, self.weight.dtype))
        ends = [axis.end for axis in self.axes]
        attributes: dict[str, Any] = {
            "dilations": [axis.dilation for axis in self.axes],
            "group": self.group,
            "kernel_shape": [axis.taps for axis in self.axes],
            "pads": [axis.begin for axis in self.axes] + [max(end, 0) for end in ends],
            "strides": [axis.stride for axis in self.axes],
        }
        if not self.is_transposed:
            return NewNode("Conv", inputs, attributes)
        if min(ends) < 0:
            attributes["output_padding"] = [max(-end, 0) for end in ends]
        return NewNode("ConvTranspose", inputs, attributes)


def diagonal(affine: Affine, channels: int, like: Kernel) -> Kernel | None:
    """`s x + t` as a depthwise kernel of one tap; None if it varies along another axis.

    Args:
        affine: s and t.
        channels: how many.
        like: the convolution beside or behind it: it tells the axes and the dtype.
    """
    # channels are axis 1 of what has axes in space, and the last axis of a product's rows
    vectors = affine.channels(1 if like.axes else affine.rank - 1, channels)
    if vectors is None or (like.axes and affine.rank != len(like.axes) + 2):
        return None
    scale, shift = vectors
    axes = (Axis(),) * len(like.axes)
    weight = of_array(scale.reshape(-1, 1, *(1 for _ in axes)), like.weight.dtype)
    # it is no product that the graph pays for by itself: what takes it must not become dearer
    return Kernel(weight, np.array(shift), channels, axes, macs=0)


def macs_of(weight: Exact) -> int:
    """Multiplications per output position: Cout * Cin/group * taps."""
    return math.prod(weight.shape)
