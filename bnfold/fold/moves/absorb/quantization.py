"""A quantised constant: read from a DequantizeLinear, multiplied without rounding, written.

Letters: W = (q - z) * c, where c and z are one number, one for each entry of an axis, or one for
each block along it; q, the levels, are integers of 4 to 32 bits, or 8-bit floats with z = 0.
Source: ONNX operators, DequantizeLinear-10 to DequantizeLinear-23.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import ml_dtypes
import numpy as np
import onnx_ir as ir

from bnfold.fold.facts.constants import Constant
from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import attribute_of, input_of, is_op
from bnfold.fold.numbers.affine import Array
from bnfold.fold.numbers.exact import of_array
from bnfold.fold.plan import NewNode, Operand, Refusal

_NO_NEGATIVE = Refusal(
    "cannot-negate", "a channel's sign flips and one of its integers has no negative in its type"
)
OTHER_AXIS = Refusal(
    "quantised-axis", "its weight is quantised along another axis than the affine varies along"
)
PER_AXIS = 13
"""The opset that brought scales per axis."""
PER_CHANNEL_OPSET = Refusal("quantised-axis", "scales per channel need opset 13 or newer")
_MIRRORED = 4  # bits


@dataclass(frozen=True)
class Quantized:
    """A constant behind a DequantizeLinear: `(levels - zero_point) * scale`.

    Attributes:
        levels: as stored.
        scale, zero_point: `[]`, `[n]` along `axis`, or in blocks with as many axes as the levels.
        axis: None for one scale.
        block: how many entries along the axis share a scale; 0 where it is one for each.
        dtypes: of the levels and of the scale.
        output: the dtype of what it stands for: the scale's, unless `output_dtype` says otherwise.
        has_zero_point: whether one is stored, all 0 or not. Runtimes tell by that, and by the next,
            whether they make an integer kernel of what reads it, which may round activations.
        stored_axis: as it is written; None where it is not. One below 0 counts from the last axis.
    """

    levels: Constant
    scale: Array
    zero_point: Constant
    axis: int | None
    block: int
    dtypes: tuple[ir.DataType, ir.DataType]
    output: ir.DataType
    has_zero_point: bool = False
    stored_axis: int | None = None

    @property
    def written_axis(self) -> int | None:
        """What a DequantizeLinear of it states; None where it states none."""
        if self.axis is None:
            return self.stored_axis
        is_from_behind = self.stored_axis is not None and self.stored_axis < 0
        return self.axis - (self.levels.ndim if is_from_behind else 0)

    def real(self) -> Array:
        """The numbers it stands for, in float64."""
        return np.asarray((self.levels.astype(np.float64) - self.zero()) * self.laid(self.scale))

    def zero(self) -> Array:
        """The zero point, broadcast against the levels."""
        return self.laid(self.zero_point.astype(np.float64))

    def laid(self, parameter: Array) -> Array:
        """A scale or zero point, broadcast against the levels."""
        if self.axis is None:
            return parameter.reshape(())
        if not self.block:
            return _column(parameter, self.axis, self.levels.ndim)
        whole = np.repeat(parameter, self.block, self.axis)
        return np.take(whole, np.arange(self.levels.shape[self.axis]), self.axis)


def quantized_of(value: ir.Value | None, facts: Facts) -> Quantized | None:
    """The quantised constant that the value is; None for anything else."""
    node = None if value is None else value.producer()
    if node is None or not is_op(node, "DequantizeLinear"):
        return None
    levels, scale = facts.constant(node.inputs[0]), facts.constant(node.inputs[1])
    stored = input_of(node, 2)
    zero = facts.constant(stored) if stored is not None else None
    if levels is None or scale is None or (stored is not None and zero is None):
        return None
    first, second = node.inputs[0], node.inputs[1]
    dtypes = [None if v is None else facts.dtype(v) for v in (first, second)]
    if dtypes[0] is None or dtypes[1] is None:
        return None
    block = attribute_of(node, "block_size", 0)
    # one scale is of the whole, whatever the axis says, which has a default of 1
    axis = attribute_of(node, "axis", 1) % levels.ndim if block or scale.size > 1 else None
    if axis is not None and scale.shape != _parameters(levels, axis, block):
        return None
    has_zero_point, stored_axis = zero is not None, attribute_of(node, "axis", None)
    zero = np.zeros(scale.shape) if zero is None else zero
    if dtypes[0].is_floating_point() and np.any(zero.astype(np.float64)):
        return None  # the negative, 2 z - q, need be no 8-bit float
    stated = attribute_of(node, "output_dtype", 0)
    output = ir.DataType(stated) if stated else dtypes[1]
    types = (dtypes[0], dtypes[1])
    return Quantized(levels, scale, zero, axis, block, types, output, has_zero_point, stored_axis)


def multiplied(found: Quantized, s: Array, axis: int, facts: Facts) -> Quantized | Refusal:
    """`s * W` along `axis`, quantised again without rounding.

    s (q - z) c = (q - z) (s c); where s < 0 the levels turn round, as a scale is positive.
    """
    if found.axis is None and facts.opset() < PER_AXIS and np.any(s != s[0]):
        return PER_CHANNEL_OPSET
    signed = _signed(found, s, axis)
    return signed if isinstance(signed, Refusal) else _sized(signed, s, axis)


def _sized(found: Quantized, s: Array, axis: int) -> Quantized | Refusal:
    """|s| W: the scales of the quantisation are larger by it."""
    size = np.where(s == 0, 1.0, np.abs(s))  # those levels are z already: no scale may be 0
    if found.block:
        by_scale = _by_block(size, found.block) if axis == found.axis else size
        if by_scale is None:
            return OTHER_AXIS
        grown = found.scale * _column(by_scale, axis, found.levels.ndim)
        return replace(found, scale=grown)
    if found.axis not in (None, axis):
        return OTHER_AXIS
    grown = np.broadcast_to(found.scale.reshape(-1), s.shape) * size
    if found.axis is None and np.all(grown == grown[0]):  # one scale is what kernels are best at
        return replace(found, scale=grown[0].reshape(found.scale.shape))
    each = np.broadcast_to(found.zero_point.reshape(-1), s.shape)
    return replace(found, scale=grown, zero_point=each, axis=axis)


def _signed(found: Quantized, s: Array, axis: int) -> Quantized | Refusal:
    """-W where s < 0: -(q - z) = (2 z - q) - z; 0 where s = 0: the levels become z."""
    levels = _turned(found, s, axis, 2 * found.zero())
    if found.dtypes[0].is_floating_point():  # each has its negative
        return replace(found, levels=levels)
    limits = ml_dtypes.iinfo(found.dtypes[0].numpy())  # type: ignore[no-untyped-call]
    if np.all(levels >= limits.min) and np.all(levels <= limits.max):
        return replace(found, levels=levels)
    return _mirrored(found, s, axis, limits.min + limits.max)


def _turned(found: Quantized, s: Array, axis: int, total: Array | int) -> Array:
    """The levels as they are where s > 0, `total` less them where s < 0, and zero where s = 0."""
    factor, levels = _column(s, axis, found.levels.ndim), found.levels.astype(np.float64)
    return np.where(factor < 0, total - levels, np.where(factor == 0, found.zero(), levels))


def _mirrored(found: Quantized, s: Array, axis: int, middle: int) -> Quantized | Refusal:
    """-(q - z) = (m - q) - (m - z): about the middle of the type, where 2 z - q is beyond it.

    Of 4 bits alone, whose lowest number is nearly always in use: the integer kernels of 8 want one
    zero point for all channels.
    """
    if found.dtypes[0].bitwidth != _MIRRORED:
        return _NO_NEGATIVE
    if found.axis is None:
        scale, point = (np.broadcast_to(p, s.shape) for p in (found.scale, found.zero_point))
        found = replace(found, scale=scale, zero_point=point, axis=axis)
    signs = np.where(s < 0, -1.0, 1.0)
    if found.block:
        by_block = _by_block(signs, found.block) if axis == found.axis else signs
        if by_block is None:
            return _NO_NEGATIVE
        signs = _column(by_block, axis, found.levels.ndim)
    elif axis != found.axis:
        return OTHER_AXIS
    levels, point = _turned(found, s, axis, middle), found.zero_point.astype(np.float64)
    return replace(found, levels=levels, zero_point=np.where(signs < 0, middle - point, point))


def _parameters(levels: Constant, axis: int, block: int) -> tuple[int, ...]:
    """The shape of scales along the axis, or in blocks of it."""
    shape = levels.shape
    if not block:
        return (shape[axis],)
    return (*shape[:axis], -(-shape[axis] // block), *shape[axis + 1 :])


def _column(vector: Array, axis: int, rank: int) -> Array:
    shape = [1] * rank
    shape[axis] = -1
    return vector.reshape(shape)


def _by_block(s: Array, block: int) -> Array | None:
    """One number for each block; None where they differ within one."""
    first = s[::block]
    return first if np.all(np.repeat(first, block)[: s.size] == s) else None


def quantized_scale(value: ir.Value | None, facts: Facts) -> Array | None:
    """The one scale of an activation that comes out of a DequantizeLinear."""
    node = None if value is None else value.producer()
    if node is None or not is_op(node, "DequantizeLinear"):
        return None
    scale = facts.constant(node.inputs[1])
    return scale.reshape(()) if scale is not None and scale.size == 1 else None


def dequantized(found: Quantized, output: str | None) -> NewNode:
    """The DequantizeLinear that makes it, into a temporary of this name or what it made before."""
    levels = of_array(found.levels.astype(np.float64), found.dtypes[0])
    scale = of_array(np.asarray(found.scale, dtype=np.float64), found.dtypes[1])
    inputs: list[Operand] = [levels, scale]
    if found.has_zero_point or np.any(found.zero_point):
        inputs.append(of_array(found.zero_point.astype(np.float64), found.dtypes[0]))
    attributes: dict[str, int] = {}
    if found.written_axis is not None:
        attributes["axis"] = found.written_axis
    if found.block:
        attributes["block_size"] = found.block
    if found.output != found.dtypes[1]:
        attributes["output_dtype"] = int(found.output)
    return NewNode("DequantizeLinear", tuple(inputs), attributes, output=output)
