"""A shift in front of a padded convolution becomes a constant map behind it.

conv(s x' + t, W) + b = conv(x', W') + (conv(plane t, W) + b), the plane padded with zeros as x' is

The map [1, Cout, *out] is a constant where the spatial size is static. The price is one Add.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import onnx_ir as ir

from bnfold.float64 import run_op
from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import attribute_of, input_of, is_op, op_of
from bnfold.fold.numbers.affine import Array
from bnfold.fold.numbers.exact import Exact, computed, of_array
from bnfold.fold.plan import Answer, NewNode, Price, Refusal, Replace
from bnfold.fold.sources.not_constant import not_constant

PRICE = "constant-map"
_MOST_NUMBERS = 1 << 27  # of a map, or of what it is computed from: 1 GiB in float64
_ROUNDING = 1e-13  # of the largest entry: sums in another order differ so far

_PADDED = Refusal(
    "padded-shift",
    "it pads with zeros, which the shift would not reach: its border would change",
    advice="--allow constant-map adds the shift as a constant map, at the price of one Add",
)
_PADDED_DYNAMIC = Refusal(
    "padded-shift",
    "it pads with zeros, which the shift would not reach, and its input's size is not static",
    advice="export with a static size and --allow constant-map",
)
_UNEVEN = Refusal(
    "uneven-shift",
    "how many taps reach a position differs from one to the next, so a shift is no bias",
    advice="with a static size, --allow constant-map adds it as a map, at the price of one Add",
)


_OTHER_SIZE = Refusal(
    "shape-unknown",
    "how large it makes its output, and so where a shift lands, is not the same in all runtimes",
    advice="export it with pads in place of auto_pad, and without output_shape",
)


_TOO_LARGE = Refusal(
    "map-too-large",
    f"behind it a shift is a constant map, of more than {_MOST_NUMBERS:,} numbers",
)


def conv_map(node: ir.Node, weight: Exact, folded: Exact, t: Array, facts: Facts) -> Answer:
    """The step for a padded Conv: W' scales, the map shifts."""
    return _mapped(node, weight, folded, t, _PADDED, _PADDED_DYNAMIC, facts)


def transpose_map(node: ir.Node, weight: Exact, folded: Exact, t: Array, facts: Facts) -> Answer:
    """The step for a ConvTranspose, padded or not."""
    return _mapped(node, weight, folded, t, _UNEVEN, _UNEVEN, facts)


def _mapped(
    node: ir.Node,
    weight: Exact,
    folded: Exact,
    t: Array,
    otherwise: Refusal,
    dynamic: Refusal,
    facts: Facts,
) -> Answer:
    dims = facts.dims(node.inputs[0])
    size = [d for d in (dims or ())[2:] if isinstance(d, int)]
    if dims is None or len(size) != len(dims) - 2 or facts.opset() < 7:
        return dynamic
    stored = input_of(node, 2)
    bias = None if stored is None else facts.exact(stored)
    if stored is not None and bias is None:
        return not_constant(stored, facts, "bias", "dynamic-bias")
    constants = [weight.value(), None if bias is None else bias.value()]
    small = [_representative(extent, node, axis, weight) for axis, extent in enumerate(size)]
    if not _fits(node, weight, t.size, small):
        return _TOO_LARGE
    shift = _shift_of(node, t, small, constants, facts)
    whole = _enlarged(shift, size, small, node)
    if (facts.dims(node.outputs[0]) or ())[2:] != whole.shape[2:]:
        return _OTHER_SIZE
    if not shift.size:  # there is no position for a shift to land on
        kept = () if bias is None else (bias,)
        return [Replace((NewNode(op_of(node), (node.inputs[0], folded, *kept)),))]
    first = shift[(slice(None), slice(None), *(slice(0, 1) for _ in size))]
    if np.max(np.abs(shift - first), initial=0) <= _ROUNDING * np.max(np.abs(shift), initial=0):
        # the same at every position, as where there is but one
        moved = of_array(np.array(first.reshape(-1)), weight.dtype)
        return [Replace((NewNode(op_of(node), (node.inputs[0], folded, moved)),))]
    if math.prod(whole.shape) > _MOST_NUMBERS:
        return _TOO_LARGE
    nodes = (
        NewNode(op_of(node), (node.inputs[0], folded), output="unshifted"),
        NewNode("Add", ("unshifted", replace(whole, dtype=weight.dtype)), {}),
    )
    return [Replace(nodes, price=Price(PRICE, otherwise))]


def _representative(extent: int, node: ir.Node, axis: int, weight: Exact) -> int:
    """A smaller extent with the same borders: between them, the map repeats itself."""
    if "output_shape" in node.attributes:
        return extent
    stride, reach = _stride(node, axis), _reach(node, axis, weight)
    enough = 2 * stride * (reach + 2)
    return extent if extent <= enough + stride else enough + (extent - enough) % stride


def _stride(node: ir.Node, axis: int) -> int:
    strides = attribute_of(node, "strides", ())
    return int(strides[axis]) if strides else 1


def _reach(node: ir.Node, axis: int, weight: Exact) -> int:
    """How far from a border a position sees it: the kernel, and whatever is padded."""
    dilations, pads = attribute_of(node, "dilations", ()), attribute_of(node, "pads", ())
    dilation = int(dilations[axis]) if dilations else 1
    kernel = dilation * (weight.shape[2 + axis] - 1) + 1
    return kernel + max((abs(int(pad)) for pad in pads), default=0)


def _fits(node: ir.Node, weight: Exact, channels: int, size: Sequence[int]) -> bool:
    """Whether what the operator reads and makes of a plane of this size is no larger than allowed.

    Pads, dilations and strides are numbers in a file, and may be anything.
    """
    most = max(channels, *weight.shape[:2])
    transposed, extra = is_op(node, "ConvTranspose"), attribute_of(node, "output_padding", ())
    for axis, extent in enumerate(size):
        step = _stride(node, axis) if transposed else 1
        more = int(extra[axis]) if extra else 0
        most *= extent * step + 2 * _reach(node, axis, weight) + more
    return most <= _MOST_NUMBERS


def _shift_of(
    node: ir.Node, t: Array, size: Sequence[int], constants: Sequence[Array | None], facts: Facts
) -> Array:
    """What the operator makes of a plane of this size that is `t` everywhere."""
    plane = np.broadcast_to(t.reshape(1, -1, *(1 for _ in size)), (1, t.size, *size))
    attributes = {name: attribute_of(node, name, None) for name in node.attributes}
    (shift,) = run_op(op_of(node), [plane, *constants], attributes, opset=facts.opset())
    return shift


def _enlarged(shift: Array, size: Sequence[int], small: Sequence[int], node: ir.Node) -> Exact:
    """The map of the full size, made of the smaller one when it is read.

    A step of one stride in x is a step of 1 behind a Conv, and one of the stride behind a
    ConvTranspose, where the entries between two steps repeat themselves.
    """
    added = [
        _between(node, axis, full, part)
        for axis, (full, part) in enumerate(zip(size, small, strict=True))
    ]
    extents = shift.shape[2:]
    whole = tuple(extent + count for extent, (count, _) in zip(extents, added, strict=True))

    def rows(start: int, stop: int) -> Array:
        found = shift[start:stop]
        for axis, (extent, (count, period)) in enumerate(zip(extents, added, strict=True)):
            middle = extent // 2
            repeated = middle + np.arange(count) % period
            place = np.concatenate([np.arange(middle), repeated, np.arange(middle, extent)])
            found = np.take(found, place, axis=2 + axis)
        return found

    return computed((*shift.shape[:2], *whole), ir.DataType.DOUBLE, rows)


def _between(node: ir.Node, axis: int, full: int, part: int) -> tuple[int, int]:
    """How many entries the larger map has more along an axis, and after how many they repeat."""
    stride = _stride(node, axis)
    steps = (full - part) // stride
    return (steps * stride * stride, stride) if is_op(node, "ConvTranspose") else (steps, 1)
