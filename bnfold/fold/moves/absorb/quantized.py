"""A quantised weight takes an affine into its scales: the integers stay, but for signs and zeros.

A weight is `W = (q - zero_point) * scale`, with one scale, one for each entry of an axis or one for
each block along it, by a DequantizeLinear over constants. The bias may be quantised too: int32,
zero point 0, and by the convention that runtimes look for, `scale = scale of x * scale of W`. It
stays so where the new one lies on that grid, and is a float where it does not: half a step of it is
hundreds of float32 roundings of the output. Runtimes take either for their integer kernels.
Source: ONNX operators, DequantizeLinear-10 to DequantizeLinear-21.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import onnx_ir as ir

from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import attribute_of, input_of, is_op, op_of
from bnfold.fold.facts.window import sees_padding
from bnfold.fold.moves.absorb.matmul import MATMUL_SHIFT
from bnfold.fold.moves.absorb.quantization import (
    OTHER_AXIS,
    PER_AXIS,
    PER_CHANNEL_OPSET,
    Quantized,
    dequantized,
    multiplied,
    quantized_of,
    quantized_scale,
)
from bnfold.fold.moves.absorb.weight_only import (
    ROUNDING_KERNEL,
    product_of,
    without_kernel,
    would_round_without,
)
from bnfold.fold.numbers.affine import Affine, Array
from bnfold.fold.numbers.exact import of_array
from bnfold.fold.plan import Answer, NewNode, Operand, Refusal, Replace, Rule
from bnfold.fold.sources.not_constant import not_constant

_FLOAT64 = 2.0**-44  # a few roundings of the quotient
_STACK = Refusal(
    "quantised-axis", "its weight is a stack of matrices, for which integer kernels take one scale"
)
_BIAS_RANGE = Refusal("bias-range", "the new bias does not fit into int32 at its scale")


def weight_after(node: ir.Node, demands: Mapping[int, Affine], facts: Facts) -> Answer:
    """An affine behind a Conv, ConvTranspose, Gemm or MatMul whose weight is quantised.

    s * W = (q - zero_point) * (s * scale) along the output channels; where s < 0 the integers are
    mirrored about the zero point and the scale is |s| * scale; where s = 0 they become the zero
    point. The bias becomes s * b + t.
    """
    found = quantized_of(input_of(node, 1), facts)
    if found is None or not found.levels.size:
        return ()
    if is_op(node, "MatMul") and found.levels.ndim < 2:
        return OTHER_AXIS  # a vector has no output channels
    axis, channel_axis = _output_axis(node, found, demands[0].rank)
    channels = demands[0].channels(channel_axis, found.levels.shape[axis])
    if channels is None or (is_op(node, "ConvTranspose") and attribute_of(node, "group", 1) != 1):
        return OTHER_AXIS
    if (
        is_op(node, "MatMul")
        and demands[0].has_shift
        and (demands[0].rank != 2 or facts.rank(node.inputs[0]) != 2)
    ):
        return MATMUL_SHIFT
    s, t = channels
    scaled = multiplied(found, s, axis, facts)
    if isinstance(scaled, Refusal):
        return scaled
    is_stack = is_op(node, "MatMul") and found.levels.ndim > 2
    if is_stack and found.axis is None and scaled.axis is not None:
        return _STACK
    return _step(node, found, scaled, s, t, facts, axis=axis)


def weight_before(node: ir.Node, affines: Mapping[int, Affine], facts: Facts) -> Answer:
    """An affine in front of a Conv whose weight is quantised, and whose input nothing pads.

    A scale per input channel is one per output channel only where each output channel reads
    channels of one scale: depthwise, or one scale for all. The shift goes into the bias:
    b'[o] = b[o] + sum_{i,k} W[o, i, k] t[i].
    """
    found = quantized_of(input_of(node, 1), facts)
    if found is None or not found.levels.size or set(affines) != {0}:
        return ()
    shape = found.levels.shape
    group = attribute_of(node, "group", 1)
    channels = affines[0].channels(1, shape[1] * group)
    if channels is None:
        return OTHER_AXIS
    if affines[0].has_shift and sees_padding(node, shape[2:], facts):
        return Refusal("padded-shift", "it pads with zeros, which the shift would not reach")
    by_group = [v.reshape(group, shape[1]) for v in channels]
    if np.any(by_group[0] != by_group[0][:, :1]):
        return OTHER_AXIS
    s, t = (np.repeat(v, shape[0] // group, axis=0) for v in by_group)
    scaled = multiplied(found, s[:, 0], 0, facts)
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
    return (0 if transposed else found.levels.ndim - 1), rank - 1


def _step(
    node: ir.Node,
    old: Quantized,
    new: Quantized,
    s: Array,
    t: Array,
    facts: Facts,
    *,
    axis: int = 0,
    bias_follows: Array | None = None,
) -> Answer:
    """The node with its weight dequantised from other constants, and its bias."""
    inputs: tuple[Operand, ...] = (node.inputs[0], "weight")
    nodes: list[NewNode] = []
    shape: tuple[int, ...] | None = None
    attributes = {name: attribute_of(node, name, None) for name in node.attributes}
    op_type = "Gemm" if is_op(node, "MatMul") and np.any(t) else op_of(node)
    if op_type != "MatMul":
        bias = _bias(node, old, s, t, facts, follows=s if bias_follows is None else bias_follows)
        if isinstance(bias, Refusal):
            return bias
        attributes.pop("beta", None)
        if isinstance(bias, Quantized):
            nodes.append(dequantized(bias, "bias"))
            inputs, shape = (*inputs, "bias"), bias.levels.shape
        elif bias is not None:
            inputs, shape = (*inputs, of_array(bias, old.output)), bias.shape
    before = product_of(node, old, facts)
    if not before.rounds_x:
        if would_round_without(node, facts):
            return ROUNDING_KERNEL
        after = replace(before, op=op_type, weight=new, attributes=attributes, bias=shape)
        if after.would_round_x:
            if facts.opset() < PER_AXIS:
                return PER_CHANNEL_OPSET
            new = without_kernel(new, axis)
    nodes = [dequantized(new, "weight"), *nodes, NewNode(op_type, inputs, attributes)]
    return [Replace(tuple(nodes))]


def _bias(
    node: ir.Node, weight: Quantized, s: Array, t: Array, facts: Facts, *, follows: Array
) -> Quantized | Array | Refusal | None:
    """`s * b + t`: int32 again where it was and where that rounds nothing; a float otherwise.

    `follows` is what the weight's scale was multiplied by: an int32 bias shares its scale.
    """
    stored = input_of(node, 2)
    beta = float(attribute_of(node, "beta", 1.0)) if is_op(node, "Gemm") else 1.0
    quantized = quantized_of(stored, facts)
    constant = facts.constant(stored)
    if stored is not None and quantized is None and constant is None:
        return not_constant(stored, facts, "bias", "dynamic-bias")
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
        if x is None or weight.block:
            return np.array(wanted)
        unit = x * weight.scale.reshape(-1)
    unit = np.broadcast_to(unit, (s.size,)) * np.where(follows == 0, 1.0, np.abs(follows))
    steps = wanted / unit
    if np.any(np.abs(steps) > np.iinfo(np.int32).max):
        return _BIAS_RANGE  # of a float bias too: runtimes make it int32 by themselves
    if quantized is None or wanted.ndim != 1 or not _is_whole(steps):
        return np.array(wanted)
    dtypes = (ir.DataType.INT32, weight.dtypes[1])
    if np.all(unit == unit[0]) and quantized.axis is None:
        zero = np.zeros((), np.int32)
        return Quantized(steps, unit[0].reshape(()), zero, None, 0, dtypes, weight.output)
    return Quantized(steps, unit, np.zeros(s.size, np.int32), 0, 0, dtypes, weight.output)


def _is_whole(steps: Array) -> bool:
    """Whether they are integers, up to the float64 arithmetic that they came by."""
    return bool(np.all(np.abs(steps - np.rint(steps)) <= _FLOAT64 * np.maximum(np.abs(steps), 1.0)))


RULES = (
    Rule("quantized-weight", ("ConvTranspose", "Gemm", "MatMul"), backward=weight_after),
    Rule("quantized-weight", ("Conv",), backward=weight_after, forward=weight_before),
)
