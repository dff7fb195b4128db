"""A DequantizeLinear takes a scale into its own, over constants and of activations.

Letters: y = (q - z) * c, with c and z one number, or one for each entry of an axis.
Source: ONNX operators, DequantizeLinear-10 to DequantizeLinear-23.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx_ir as ir

from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import attribute_of, input_of, is_op
from bnfold.fold.moves.absorb.quantization import (
    OTHER_AXIS,
    PER_AXIS,
    PER_CHANNEL_OPSET,
    dequantized,
    multiplied,
    quantized_of,
)
from bnfold.fold.moves.absorb.weight_only import ROUNDING_KERNEL, comes_to_round
from bnfold.fold.numbers.affine import Affine, Array
from bnfold.fold.numbers.exact import of_array
from bnfold.fold.plan import Answer, NewNode, Operand, Refusal, Replace, Rule
from bnfold.fold.sources.not_constant import not_constant

_SHIFT = Refusal(
    "activation-quantised", "it makes numbers on a grid, to which a shift does not belong"
)
_INTEGER_KERNELS = Refusal(
    "activation-quantised",
    "what follows is quantised too, and runs on integers only where this has one scale",
)
_FAR = 256  # values looked at


def dequantize_after(node: ir.Node, demands: Mapping[int, Affine], facts: Facts) -> Answer:
    """s ((q - z) c) = (q - z) (s c) for s > 0: into its own scale, whoever makes q.

    Over constant levels for any s: they can be mirrored, see `multiplied`. A shift is no multiple
    of the scale, and stays.
    """
    demand = demands[0]
    if demand.has_shift:
        return _SHIFT
    axes = [axis for axis in range(demand.rank) if demand.varies_along(axis)]
    if len(axes) > 1:
        return OTHER_AXIS
    axis = axes[0] if axes else 0
    count = max(demand.extents, default=1)
    s = np.broadcast_to(demand.scale.reshape(-1), (count,))
    found = quantized_of(node.outputs[0], facts)
    if found is not None:
        extent = found.levels.shape[axis] if found.levels.ndim else 1
        scaled = multiplied(found, np.broadcast_to(s, (extent,)), axis, facts)
        if isinstance(scaled, Refusal):
            return scaled
        if comes_to_round(node.outputs[0], found, scaled):
            return ROUNDING_KERNEL
        return [Replace((dequantized(scaled, None),))]
    return _of_run_time(node, s, axis, facts)


def _of_run_time(node: ir.Node, s: Array, axis: int, facts: Facts) -> Answer:
    """The DequantizeLinear with the scale s c, along the axis along which s varies."""
    scale, stored = facts.exact(node.inputs[1]), input_of(node, 2)
    zero = None if stored is None else facts.constant(stored)
    dtype = None if stored is None else facts.dtype(stored)
    if scale is None or (stored is not None and (zero is None or dtype is None)):
        open_ = node.inputs[1] if scale is None else stored
        return not_constant(open_, facts, "scale or zero point", "dynamic-parameters")
    if not np.all(s > 0):
        return Refusal("negative-scale", "the scale of what is quantised is positive and stays so")
    c = scale.value()
    rank = facts.rank(node.outputs[0]) or 1
    along = None if c.size == 1 else attribute_of(node, "axis", 1) % rank
    if attribute_of(node, "block_size", 0) or (s.size > 1 and along not in (None, axis)):
        return OTHER_AXIS
    grown = c.reshape(()) if c.size == 1 else c
    grown = np.asarray(grown * (s[0] if s.size == 1 else s))
    inputs: list[Operand] = [node.inputs[0], of_array(grown, scale.dtype)]
    if zero is not None and dtype is not None:
        spread = np.broadcast_to(zero.reshape(-1) if grown.ndim else zero.reshape(()), grown.shape)
        inputs.append(of_array(spread.astype(np.float64), dtype))
    attributes = {name: attribute_of(node, name, None) for name in node.attributes}
    if s.size > 1:
        attributes["axis"] = axis
        if _meets_quantised(node.outputs[0]):
            return _INTEGER_KERNELS
        if facts.opset() < PER_AXIS:
            return PER_CHANNEL_OPSET
    return [Replace((NewNode("DequantizeLinear", tuple(inputs), attributes),))]


def _meets_quantised(value: ir.Value) -> bool:
    """Whether what is made of it may be quantised again, or meets something else that was.

    Runtimes turn such operators into integer ones, and believe that an activation has one scale.
    A long way is not walked to its end.
    """
    seen, pending = {value}, [value]
    while pending:
        read = pending.pop()
        for reader in (use.node for use in read.uses()):
            others = (v.producer() for v in reader.inputs if v is not None and v is not read)
            quantised = any(is_op(other, "DequantizeLinear") for other in others)
            if quantised or is_op(reader, "QuantizeLinear") or len(seen) > _FAR:
                return True
            pending.extend(v for v in reader.outputs if v not in seen)
            seen.update(reader.outputs)
    return False


RULES = (Rule("quantized-weight", ("DequantizeLinear",), backward=dequantize_after),)
