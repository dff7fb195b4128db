"""A quantised constant: read from a DequantizeLinear, multiplied without rounding, written."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import onnx_ir as ir

from bnfold.fold.facts.constants import Constant
from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import attribute_of, input_of, is_op
from bnfold.fold.numbers.affine import Array
from bnfold.fold.numbers.exact import Exact, of_array
from bnfold.fold.plan import NewNode, Operand, Refusal

_NO_NEGATIVE = Refusal(
    "cannot-negate", "a channel's sign flips and one of its integers has no negative in its type"
)
OTHER_AXIS = Refusal(
    "quantised-axis", "its weight is quantised along another axis than the affine varies along"
)
_PER_AXIS = 13  # the opset that brought scales per axis


@dataclass(frozen=True)
class Quantized:
    """A constant behind a DequantizeLinear: `(integers - zero_point) * scale`.

    Attributes:
        integers: as stored.
        scale, zero_point: float64 and integers, `[]` or `[n]` along `axis`.
        axis: None for one scale.
        dtypes: of the integers and of the scale.
        output: the dtype of what it stands for: the scale's, unless `output_dtype` says otherwise.
    """

    integers: Constant
    scale: Array
    zero_point: Constant
    axis: int | None
    dtypes: tuple[ir.DataType, ir.DataType]
    output: ir.DataType

    def real(self) -> Array:
        """The numbers it stands for, in float64."""
        scale, zero = self._laid(self.scale), self._laid(self.zero_point)
        return np.asarray((self.integers.astype(np.float64) - zero) * scale)

    def _laid(self, vector: Constant) -> Array:
        if self.axis is None:
            return vector.reshape(()).astype(np.float64)
        shape = [1] * self.integers.ndim
        shape[self.axis] = -1
        return vector.reshape(shape).astype(np.float64)


def quantized_of(value: ir.Value | None, facts: Facts) -> Quantized | None:
    """The quantised constant that the value is; None for anything else."""
    node = None if value is None else value.producer()
    if node is None or not is_op(node, "DequantizeLinear") or attribute_of(node, "block_size", 0):
        return None
    integers, scale = facts.constant(node.inputs[0]), facts.constant(node.inputs[1])
    stored = input_of(node, 2)
    zero = facts.constant(stored) if stored is not None else None
    if integers is None or scale is None or (stored is not None and zero is None):
        return None
    first, second = node.inputs[0], node.inputs[1]
    dtypes = [None if v is None else facts.dtype(v) for v in (first, second)]
    if dtypes[0] is None or dtypes[1] is None or integers.dtype.kind not in "iu":
        return None
    axis = attribute_of(node, "axis", 1) % integers.ndim if scale.size > 1 else None
    if axis is not None and (scale.ndim != 1 or integers.shape[axis] != scale.size):
        return None
    zero = np.zeros(scale.shape, dtype=integers.dtype) if zero is None else zero
    stated = attribute_of(node, "output_dtype", 0)
    output = ir.DataType(stated) if stated else dtypes[1]
    return Quantized(integers, scale, zero, axis, (dtypes[0], dtypes[1]), output)


def multiplied(found: Quantized, s: Array, axis: int, facts: Facts) -> Quantized | Refusal:
    """`s * W` along `axis`, quantised again without rounding."""
    if found.axis not in (None, axis):
        return OTHER_AXIS
    if found.axis is None and facts.opset() < _PER_AXIS and np.any(s != s[0]):
        return Refusal("quantised-axis", "scales per channel need opset 13 or newer")
    count = found.integers.shape[axis]
    shape = [1] * found.integers.ndim
    shape[axis] = -1
    zero = np.broadcast_to(found.zero_point.reshape(-1), (count,))
    scale = np.broadcast_to(found.scale.reshape(-1), (count,))
    wide = found.integers.astype(np.int64)
    mirrored = 2 * zero.astype(np.int64).reshape(shape) - wide
    factor = s.reshape(shape)
    integers = np.where(factor < 0, mirrored, wide)
    integers = np.where(factor == 0, zero.astype(np.int64).reshape(shape), integers)
    limits = np.iinfo(found.integers.dtype)
    if np.any(integers < limits.min) or np.any(integers > limits.max):
        return _NO_NEGATIVE
    grown = scale * np.where(s == 0, 1.0, np.abs(s))
    if found.axis is None and np.all(grown == grown[0]):
        zero, grown = found.zero_point.reshape(()), grown[0].reshape(())
        return replace(found, integers=integers, scale=grown, zero_point=zero)
    return replace(found, integers=integers, scale=grown, zero_point=zero, axis=axis)


def quantized_scale(value: ir.Value | None, facts: Facts) -> Array | None:
    """The one scale of an activation that comes out of a DequantizeLinear."""
    node = None if value is None else value.producer()
    if node is None or not is_op(node, "DequantizeLinear"):
        return None
    scale = facts.constant(node.inputs[1])
    return scale.reshape(()) if scale is not None and scale.size == 1 else None


def dequantized(found: Quantized, output: str) -> NewNode:
    """The DequantizeLinear that makes it, into a temporary of this name."""
    integers = of_array(found.integers.astype(np.float64), found.dtypes[0])
    scale = of_array(np.asarray(found.scale, dtype=np.float64), found.dtypes[1])
    inputs: list[Operand] = [integers, scale]
    if np.any(found.zero_point) or found.dtypes[0] != ir.DataType.INT32:
        inputs.append(_zero_point(found))
    attributes: dict[str, int] = {} if found.axis is None else {"axis": found.axis}
    if found.output != found.dtypes[1]:
        attributes["output_dtype"] = int(found.output)
    return NewNode("DequantizeLinear", tuple(inputs), attributes, output=output)


def _zero_point(found: Quantized) -> Exact:
    return of_array(found.zero_point.astype(np.float64), found.dtypes[0])
