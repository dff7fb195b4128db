"""Two convolutions as one: side by side and added, or one after the other.

Both work on blocks: a convolution of `group` g is block-diagonal over the channels, and one of any
divisor of g too, with zeros beside the blocks. Nothing is computed before a weight is read. What is
said of convolutions as linear maps holds for their transposes too, see `transposed`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from bnfold.fold.merge.kernel import Axis, Kernel, macs_of
from bnfold.fold.merge.transposed import alike, turned
from bnfold.fold.numbers.affine import Array
from bnfold.fold.numbers.exact import computed, reduced

Sizes = tuple[int | None, ...]
Taps = tuple[slice, ...]


def added(parts: Sequence[tuple[Kernel, float]], sizes: Sizes) -> Kernel | None:
    """`sum of sign * conv(x, W, b)` as one convolution of the same x.

    A tap of part i at offset `o` of x is a tap of the sum at offset `o`: the sum has all offsets of
    all parts, evenly spaced, zeros between and around. Exact where all parts have as many outputs,
    so that position p of each looks at `x[p * stride + o]`: x beyond its border is 0 for all.

    Args:
        parts: the convolutions, with +1 or -1.
        sizes: the extents of x in space; None where unknown.

    Returns:
        None where strides, channels or sizes differ.
    """
    kernels = alike([kernel for kernel, _ in parts])
    if kernels is None:
        return None
    first, signs = kernels[0], [sign for _, sign in parts]
    if any(
        len(k.axes) != len(first.axes)
        or (k.rows, k.columns) != (first.rows, first.columns)
        or k.weight.dtype != first.weight.dtype
        for k in kernels
    ):
        return None
    axes = []
    for index, size in enumerate(sizes):
        # each position of a transposed one counts: another excess is another size
        known = None if first.is_transposed else size
        axis = _union([kernel.axes[index] for kernel in kernels], known)
        if axis is None:
            return None
        axes.append(axis)
    # blocks that hold whole blocks of every part: more of them would cut one in two
    group = math.gcd(*(kernel.group for kernel in kernels))
    shape = (first.rows, first.columns // group, *(axis.taps for axis in axes))

    def rows(start: int, stop: int) -> Array:
        total = np.zeros((stop - start, *shape[1:]))
        for kernel, sign in zip(kernels, signs, strict=True):
            taps = tuple(map(_taps_within, kernel.axes, axes))
            total[(slice(None), slice(None), *taps)] += sign * in_blocks(kernel, group, start, stop)
        return total

    weight = computed(shape, first.weight.dtype, rows)
    bias = np.sum([sign * kernel.bias for kernel, sign in parts], axis=0)
    return Kernel(weight, bias, group, tuple(axes), macs_of(weight), first.is_transposed)


def composed(first: Kernel, second: Kernel) -> Kernel | None:
    """`second(first(x))` as one convolution of x.

    W'[o, i, u + v] = sum over m of W2[o, m, v] W1[m, i, u]
    b'[o] = b2[o] + sum over m, v of W2[o, m, v] b1[m]

    A bias b1 goes on like this where the second pads nothing.
    """
    pair = alike((first, second))
    if pair is None or first.channels_out != second.channels_in:
        return None
    first, second = pair
    whole = _product(second, first) if first.is_transposed else _product(first, second)
    passed = _passed(first.bias, second)
    if whole is None or passed is None:
        return None
    return replace(whole, bias=second.bias + passed)


def _product(first: Kernel, second: Kernel) -> Kernel | None:
    """The convolution by `second`'s weight behind that by `first`'s, without a bias.

    Offsets: tap v of the second looks at position `v` of the middle, whose tap u looks at
    `stride1 * v + u` of x. The second pads the middle with zeros, the result pads x: exact if it
    pads nothing, or if the first makes zeros of zeros and nothing else, one tap wide, and leaves no
    border out: there x has numbers where the middle is padded.
    """
    if second.is_padded and not (first.is_one_tap and not first.is_cropped):
        return None
    if first.rows != second.columns or len(first.axes) != len(second.axes):
        return None
    pairs = list(zip(first.axes, second.axes, strict=True))
    axes = tuple(_succession(a, b) for a, b in pairs)
    group = math.gcd(first.group, second.group)
    shape = (second.rows, first.columns // group, *(axis.taps for axis in axes))

    def rows(start: int, stop: int) -> Array:
        before = in_blocks(first, group, 0, first.rows)
        before = before.reshape(group, before.shape[0] // group, *before.shape[1:])
        after = in_blocks(second, group, start, stop)
        block = np.arange(start, stop) * group // second.rows
        total = np.zeros((stop - start, *shape[1:]))
        for q in np.unique(block):  # rows of one block see the same middle channels
            mine = block == q
            for v in np.ndindex(*(axis.taps for axis in second.axes)):
                product = np.tensordot(after[(mine, slice(None), *v)], before[q], axes=1)
                total[(mine, slice(None), *_taps_after(pairs, axes, v))] += product
        return total

    weight = computed(shape, second.weight.dtype, rows)
    return Kernel(weight, np.zeros(0), group, axes, macs_of(weight), first.is_transposed)


def with_macs(kernel: Kernel, macs: int) -> Kernel:
    """The kernel, where the graph pays otherwise for what it computes."""
    return replace(kernel, macs=macs)


def _union(axes: Sequence[Axis], size: int | None) -> Axis | None:
    """The axis that has the taps of all; None if they move or end differently."""
    if len({axis.stride for axis in axes}) > 1:
        return None
    # positions differ by the excess, but for what a stride rounds away: then sizes must be known
    widest = max(axes, key=lambda axis: axis.excess)
    if any(axis.excess != widest.excess for axis in axes) and (
        size is None or len({axis.positions(size) for axis in axes}) > 1
    ):
        return None
    begin = max(axis.begin for axis in axes)
    last = max(axis.reach - axis.begin for axis in axes)
    spaces = [axis.dilation for axis in axes if axis.taps > 1]
    # the coarsest grid on which all taps of all parts lie; one tap alone needs none
    dilation = math.gcd(*spaces, *(begin - axis.begin for axis in axes)) or 1
    reach = begin + last
    # as many positions as the part that has most: zeros behind the last tap of the others
    end = widest.excess + last
    return Axis(reach // dilation + 1, widest.stride, dilation, begin, end)


def _taps_within(part: Axis, whole: Axis) -> slice:
    """Where the taps of a part stand among those of the union."""
    start = (whole.begin - part.begin) // whole.dilation
    step = part.dilation // whole.dilation if part.taps > 1 else 1
    return slice(start, start + (part.taps - 1) * step + 1, step)


def _succession(first: Axis, second: Axis) -> Axis:
    """The axis whose taps are the sums of a tap of the first and one of the second."""
    spaces = [first.dilation] if first.taps > 1 else []
    spaces += [first.stride * second.dilation] if second.taps > 1 else []
    dilation = math.gcd(*spaces) or 1
    reach = first.reach + first.stride * second.reach
    return Axis(
        reach // dilation + 1,
        first.stride * second.stride,
        dilation,
        first.begin + first.stride * second.begin,
        first.end + first.stride * second.end,
    )


def _taps_after(
    pairs: Sequence[tuple[Axis, Axis]], axes: Sequence[Axis], v: tuple[int, ...]
) -> Taps:
    """Where the taps of the first stand, seen through tap v of the second."""
    taps = []
    for (first, second), axis, tap in zip(pairs, axes, v, strict=True):
        start = tap * first.stride * second.dilation // axis.dilation
        step = first.dilation // axis.dilation if first.taps > 1 else 1
        taps.append(slice(start, start + (first.taps - 1) * step + 1, step))
    return tuple(taps)


def in_blocks(kernel: Kernel, group: int, start: int, stop: int) -> Array:
    """Rows of W for fewer, larger blocks: `[stop - start, Cin/group, *kernel]`, zeros beside."""
    rows = kernel.weight.rows(start, stop)
    if kernel.group == group:
        return rows
    width = kernel.weight.shape[1]
    row = np.arange(start, stop)
    own = row * kernel.group // kernel.rows * width
    block = row * group // kernel.rows * (kernel.columns // group)
    # row o reads `width` channels of its small block, at an offset within the larger one
    wide = np.zeros((stop - start, kernel.columns // group, *rows.shape[2:]))
    wide[(row - start)[:, None], (own - block)[:, None] + np.arange(width)] = rows
    return wide


def _passed(vector: Array, kernel: Kernel) -> Array | None:
    """What the kernel makes of one number for each channel; None where borders see less of them."""
    if not np.any(vector):
        return np.zeros(kernel.channels_out)
    reading = turned(kernel) if kernel.is_transposed else kernel
    if reading is None or reading.is_padded:
        return None
    per_row = _per_row(vector, reading)
    return reduced(
        reading.weight,
        lambda part, a, b: np.asarray((part.sum(tuple(range(2, part.ndim))) * per_row[a:b]).sum(1)),
        concatenate=True,
    )


def _per_row(vector: Array, kernel: Kernel) -> Array:
    """`[Cin]` as each row of W sees it: `[Cout, Cin/group]`."""
    by_group = vector.reshape(kernel.group, -1)
    return np.repeat(by_group, kernel.rows // kernel.group, axis=0)
