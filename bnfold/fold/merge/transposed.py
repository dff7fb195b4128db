"""A ConvTranspose is the transpose of the Conv by the same weight, from its output to its input.

Letters: C, the linear map of the Conv by W [Cin, Cout/group, *kernel] with the same strides,
dilations and pads, from m entries along an axis to n.

    convT(x, W, b) = C^T x + b        (C1 + C2)^T = C1^T + C2^T        (C1 C2)^T = C2^T C1^T

So what `algebra` does to convolutions, as linear maps, it does to their transposes. Of n entries a
ConvTranspose makes m = (n - 1) * stride + 1 - excess + output_padding; where the last is below the
stride, it is an `end` that lies so far inside, and C makes n entries of m.

With strides of 1 each of both is the other, the taps the other way round, as j and p = j + d k - b
look at each other from either side:

    sum_k W[o, i, k] x[j + d k - b] = sum_k W[o, i, taps - 1 - k] x[j - d k + reach - b]

Source: ONNX operators, ConvTranspose-1 to ConvTranspose-22.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from bnfold.fold.merge.kernel import Kernel
from bnfold.fold.numbers.affine import Array
from bnfold.fold.numbers.exact import mapped


def alike(kernels: Sequence[Kernel]) -> list[Kernel] | None:
    """The same maps, all as convolutions or all as transposes; None where strides allow neither.

    That with the most work stays what it is, if it can.
    """
    for is_transposed in dict.fromkeys(
        kernel.is_transposed for kernel in sorted(kernels, key=lambda kernel: -kernel.macs)
    ):
        turn = [k if k.is_transposed is is_transposed else turned(k) for k in kernels]
        found = [kernel for kernel in turn if kernel is not None]
        if len(found) == len(kernels):
            return found
    return None


def turned(kernel: Kernel) -> Kernel | None:
    """The Conv as a ConvTranspose, or the other way round; None for strides beyond 1."""
    if any(axis.stride != 1 for axis in kernel.axes):
        return None
    axes = tuple(
        replace(axis, begin=axis.reach - axis.begin, end=axis.reach - axis.end)
        for axis in kernel.axes
    )
    group, (rows, columns, *taps) = kernel.group, kernel.weight.shape
    shape = (columns * group, rows // group, *taps)

    def whole(weight: Array) -> Array:
        blocks = weight.reshape(group, rows // group, columns, *taps).swapaxes(1, 2)
        return np.flip(blocks, tuple(range(3, blocks.ndim))).reshape(shape)

    # what counts the work are its outputs, or its inputs: where there are fewer of those, it is
    # said to have none
    macs = kernel.macs if all(axis.excess <= 0 for axis in axes) else 0
    return Kernel(
        mapped(kernel.weight, shape, whole, kernel.weight.dtype),
        kernel.bias,
        group,
        axes,
        macs,
        not kernel.is_transposed,
    )


def macs_beside(kernels: Sequence[Kernel]) -> int:
    """What the kernels multiply in all, for a position of their sum."""
    return sum(kernel.macs for kernel in alike(kernels) or ())


def macs_behind(first: Kernel, second: Kernel) -> int:
    """What both multiply at the least, for a position of `second(first(x))` as one kernel."""
    pair = alike((first, second))
    if pair is None:
        return 0
    before, after = pair
    if before.is_transposed:
        return before.macs + _spread(before) * after.macs
    return after.macs + (0 if after.is_enlarging else before.macs)


def _spread(kernel: Kernel) -> int:
    """How many positions a transposed kernel makes of each at the least, however many there are."""
    return math.prod(max(0, min(axis.stride, 1 - axis.excess)) for axis in kernel.axes)
