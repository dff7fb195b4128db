"""A quantised weight takes an affine into its scales: the integers stay, but for signs and zeros.

A weight is `W = (q - zero_point) * scale`, with one scale, or one for each entry of an axis, by a
DequantizeLinear over constants. The bias may be quantised too: int32, zero point 0, and by the
convention that runtimes look for, `scale = scale of x * scale of W`.
Source: ONNX operators, DequantizeLinear-10 to DequantizeLinear-21.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import onnx_ir as ir

from bnfold.fold.facts.constants import Constant
from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import attribute_of, input_of, is_op, op_of
from bnfold.fold.facts.window import sees_padding
from bnfold.fold.moves.absorb.matmul import MATMUL_SHIFT
from bnfold.fold.numbers.affine import Affine, Array
from bnfold.fold.numbers.exact import Exact, of_array
from bnfold.fold.plan import Answer, NewNode, Operand, Refusal, Replace, Rule

_NO_NEGATIVE = Refusal(
    "cannot-negate", "a channel's sign flips and one of its integers has no negative in its type"
)
_OTHER_AXIS = Refusal(
    "quantised-axis", "its weight is quantised along another axis than the affine varies along"
)
_BIAS_RANGE = Refusal("bias-range", "the new bias does not fit into int32 at its scale")
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


def weight_after(node: ir.Node, demands: Mapping[int, Affine], facts: Facts) -> Answer:
    """An affine behind a Conv, ConvTranspose, Gemm or MatMul whose weight is quantised.

    s * W = (q - zero_point) * (s * scale) along the output channels; where s < 0 the integers are
    mirrored about the zero point and the scale is |s| * scale; where s = 0 they become the zero
    point. The bias becomes s * b + t.
    """
    found = quantized_of(input_of(node, 1), facts)
    if found is None:
        return ()
    axis, channel_axis = _output_axis(node, found, demands[0].rank)
    channels = demands[0].channels(channel_axis, found.integers.shape[axis])
    if channels is None or (is_op(node, "ConvTranspose") and attribute_of(node, "group", 1) != 1):
        return _OTHER_AXIS
    if (
        is_op(node, "MatMul")
        and demands[0].has_shift
        and (demands[0].rank != 2 or facts.rank(node.inputs[0]) != 2)
    ):
        return MATMUL_SHIFT
    s, t = channels
    scaled = _scaled(found, s, axis, facts)
    if isinstance(scaled, Refusal):
        return scaled
    return _step(node, found, scaled, s, t, facts)


def weight_before(node: ir.Node, gauges: Mapping[int, Affine], facts: Facts) -> Answer:
    """An affine in front of a Conv whose weight is quantised, and whose input nothing pads.

    A scale per input channel is one per output channel only where each output channel reads
    channels of one scale: depthwise, or one scale for all. The shift goes into the bias:
    b'[o] = b[o] + sum_{i,k} W[o, i, k] t[i].
    """
    found = quantized_of(input_of(node, 1), facts)
    if found is None or set(gauges) != {0}:
        return ()
    shape = found.integers.shape
    group = attribute_of(node, "group", 1)
    channels = gauges[0].channels(1, shape[1] * group)
    if channels is None:
        return _OTHER_AXIS
    if gauges[0].has_shift and sees_padding(node, shape[2:], facts):
        return Refusal("padded-shift", "it pads with zeros, which the shift would not reach")
    by_group = [v.reshape(group, shape[1]) for v in channels]
    if np.any(by_group[0] != by_group[0][:, :1]):
        return _OTHER_AXIS
    s, t = (np.repeat(v, shape[0] // group, axis=0) for v in by_group)
    scaled = _scaled(found, s[:, 0], 0, facts)
    if isinstance(scaled, Refusal):
        return scaled
    taps = found.real().sum(axis=tuple(range(2, len(shape))))
    added = np.asarray((taps * t).sum(axis=1))
    # the bias is not scaled here: only what the weight makes of x is
    return _step(node, found, scaled, np.ones(shape[0]), added, facts, bias_follows=s[:, 0])


def _output_axis(node: ir.Node, found: Quantized, rank: int) -> tuple[int, int]:
    """The weight's axis of output channels, and the output's."""
    if is_op(node, "Conv", "ConvTranspose"):
        return (0 if is_op(node, "Conv") else 1), 1
    transposed = is_op(node, "Gemm") and attribute_of(node, "transB", 0) == 1
    return (0 if transposed else found.integers.ndim - 1), rank - 1


def _scaled(found: Quantized, s: Array, axis: int, facts: Facts) -> Quantized | Refusal:
    """`s * W` along `axis`, quantised again without rounding."""
    if found.axis not in (None, axis):
        return _OTHER_AXIS
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


def _step(
    node: ir.Node,
    old: Quantized,
    new: Quantized,
    s: Array,
    t: Array,
    facts: Facts,
    *,
    bias_follows: Array | None = None,
) -> Answer:
    """The node with its weight dequantised from other constants, and its bias."""
    nodes = [_dequantize(new, "weight")]
    inputs: tuple[Operand, ...] = (node.inputs[0], "weight")
    attributes = {name: attribute_of(node, name, None) for name in node.attributes}
    op_type = "Gemm" if is_op(node, "MatMul") and np.any(t) else op_of(node)
    if op_type != "MatMul":
        bias = _bias(node, old, s, t, facts, follows=s if bias_follows is None else bias_follows)
        if isinstance(bias, Refusal):
            return bias
        attributes.pop("beta", None)
        if isinstance(bias, Quantized):
            nodes.append(_dequantize(bias, "bias"))
            inputs = (*inputs, "bias")
        elif bias is not None:
            inputs = (*inputs, of_array(bias, old.output))
    nodes.append(NewNode(op_type, inputs, attributes))
    return [Replace(tuple(nodes))]


def _bias(
    node: ir.Node, weight: Quantized, s: Array, t: Array, facts: Facts, *, follows: Array
) -> Quantized | Array | Refusal | None:
    """`s * b + t`: int32 again where it was, or where x is quantised; a float otherwise.

    `follows` is what the weight's scale was multiplied by: an int32 bias shares its scale.
    """
    stored = input_of(node, 2)
    beta = float(attribute_of(node, "beta", 1.0)) if is_op(node, "Gemm") else 1.0
    quantized = quantized_of(stored, facts)
    constant = facts.constant(stored)
    if stored is not None and quantized is None and constant is None:
        return Refusal("dynamic-bias", "its bias is computed at run time")
    old = np.zeros(s.size) if stored is None else constant
    if quantized is not None:
        old = quantized.real()
    assert old is not None
    wanted = np.broadcast_to(s * (beta * old) + t, np.broadcast_shapes(old.shape, s.shape))
    if stored is None and not np.any(wanted):
        return None
    if quantized is not None:
        unit = quantized.scale.reshape(-1)
    else:
        x = quantized_scale(node.inputs[0], facts)
        if x is None:
            return np.array(wanted)
        unit = x * weight.scale.reshape(-1)
    unit = np.broadcast_to(unit, (s.size,)) * np.where(follows == 0, 1.0, np.abs(follows))
    steps = wanted / unit
    if np.any(np.abs(steps) > np.iinfo(np.int32).max):
        return _BIAS_RANGE  # of a float bias too: runtimes make it int32 by themselves
    if constant is not None or weight.dtypes[0].bitwidth != 8:
        return np.array(wanted)
    if wanted.ndim != 1:
        return Refusal("quantised-bias", "its bias is quantised and not one number per channel")
    dtypes = (ir.DataType.INT32, weight.dtypes[1])
    if np.all(unit == unit[0]) and (quantized is None or quantized.axis is None):
        zero = np.zeros((), np.int32)
        return Quantized(steps, unit[0].reshape(()), zero, None, dtypes, weight.output)
    return Quantized(steps, unit, np.zeros(s.size, np.int32), 0, dtypes, weight.output)


def quantized_scale(value: ir.Value | None, facts: Facts) -> Array | None:
    """The one scale of an activation that comes out of a DequantizeLinear."""
    node = None if value is None else value.producer()
    if node is None or not is_op(node, "DequantizeLinear"):
        return None
    scale = facts.constant(node.inputs[1])
    return scale.reshape(()) if scale is not None and scale.size == 1 else None


def _dequantize(found: Quantized, output: str) -> NewNode:
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


RULES = (
    Rule("quantized-weight", ("ConvTranspose", "Gemm", "MatMul"), backward=weight_after),
    Rule("quantized-weight", ("Conv",), backward=weight_after, forward=weight_before),
)
