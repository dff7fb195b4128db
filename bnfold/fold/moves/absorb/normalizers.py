"""Normalisations over the sample take an affine that follows them into their own scale and bias.

Letters: y = g * (x - mean(x)) / std(x) + b with constants g and b; s, t the affine.

    s * y + t = (s g) * (x - mean(x)) / std(x) + (s b + t)

Source: ONNX operators, InstanceNormalization-6, GroupNormalization-21, LayerNormalization-17,
RMSNormalization-23.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx_ir as ir

from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import attribute_of, input_of, is_op, op_of
from bnfold.fold.moves.operands import NOT_PER_CHANNEL
from bnfold.fold.numbers.affine import Affine
from bnfold.fold.numbers.exact import of_array
from bnfold.fold.plan import Answer, NewNode, Refusal, Replace, Rule
from bnfold.fold.sources.not_constant import not_constant

_CODE = "dynamic-parameters"
_NO_BIAS = Refusal("matmul-shift", "it has a scale and no bias, so that no shift goes into it")


def channels_after(node: ir.Node, demands: Mapping[int, Affine], facts: Facts) -> Answer:
    """InstanceNormalization, and GroupNormalization since opset 21: g and b are [C]."""
    if is_op(node, "GroupNormalization") and facts.opset() < 21:
        return Refusal("per-group", "its scale and bias are per group of channels")
    scale, bias = facts.exact(node.inputs[1]), facts.exact(node.inputs[2])
    if scale is None or bias is None:
        return not_constant(node.inputs[1 if scale is None else 2], facts, "scale or bias", _CODE)
    channels = demands[0].channels(1, scale.size)
    if channels is None:
        return NOT_PER_CHANNEL
    s, t = channels
    grown = of_array(s * scale.value(), scale.dtype)
    moved = of_array(s * bias.value() + t, bias.dtype)
    return [Replace((NewNode(op_of(node), (node.inputs[0], grown, moved)),))]


def layer_after(node: ir.Node, demands: Mapping[int, Affine], facts: Facts) -> Answer:
    """LayerNormalization: g and b have the shape of the normalised axes, the last ones."""
    scale = facts.exact(node.inputs[1])
    stored = input_of(node, 2)
    bias = None if stored is None else facts.exact(stored)
    if scale is None or (stored is not None and bias is None):
        open_ = node.inputs[1] if scale is None else stored
        return not_constant(open_, facts, "scale or bias", _CODE)
    if any(value.name and value.uses() for value in node.outputs[1:]):
        return Refusal("statistics-read", "its statistics are read too")
    demand = demands[0]
    axis = attribute_of(node, "axis", -1) % demand.rank
    if any(demand.varies_along(i) for i in range(axis)):
        return NOT_PER_CHANNEL
    s, t = (a.reshape(a.shape[axis:]) for a in (demand.scale, demand.shift))
    shape = scale.shape
    if np.broadcast_shapes(s.shape, t.shape, shape) != shape:
        return NOT_PER_CHANNEL
    old = np.zeros(shape) if bias is None else bias.value()
    grown = of_array(s * scale.value(), scale.dtype)
    moved = of_array(np.broadcast_to(s * old + t, shape), scale.dtype)
    inputs = (node.inputs[0], grown, moved)
    return [Replace((NewNode("LayerNormalization", inputs),))]


def rms_after(node: ir.Node, demands: Mapping[int, Affine], facts: Facts) -> Answer:
    """RMSNormalization: y = g * x / rms(x), so s y = (s g) * x / rms(x); it has no bias for t."""
    scale = facts.exact(node.inputs[1])
    if scale is None:
        return not_constant(node.inputs[1], facts, "scale", _CODE)
    demand = demands[0]
    if demand.has_shift:
        return _NO_BIAS
    axis = attribute_of(node, "axis", -1) % demand.rank
    if any(demand.varies_along(i) for i in range(axis)):
        return NOT_PER_CHANNEL
    s = demand.scale.reshape(demand.scale.shape[axis:])
    if np.broadcast_shapes(s.shape, scale.shape) != scale.shape:
        return NOT_PER_CHANNEL
    grown = of_array(s * scale.value(), scale.dtype)
    return [Replace((NewNode("RMSNormalization", (node.inputs[0], grown)),))]


RULES = (
    Rule("normalizer", ("RMSNormalization",), backward=rms_after),
    Rule("normalizer", ("InstanceNormalization", "GroupNormalization"), backward=channels_after),
    Rule("normalizer", ("LayerNormalization",), backward=layer_after),
)
