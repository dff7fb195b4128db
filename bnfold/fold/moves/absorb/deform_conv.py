"""DeformConv takes an affine behind it into its weight and bias, and a scale in front of it.

Letters: y[o](p) = sum_{i,k} W[o, i, k] m_k(p) x[i](p + k + d_k(p)) + b[o], with offsets d and a
mask m that are computed at run time; x between positions is interpolated, and 0 outside.
Source: ONNX operators, DeformConv-19 and DeformConv-22.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx_ir as ir

from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import input_of
from bnfold.fold.moves.absorb.conv import per_group, scaled_rows
from bnfold.fold.moves.operands import ARRIVES, NOT_PER_CHANNEL, conv_constants_of
from bnfold.fold.numbers.affine import Affine
from bnfold.fold.numbers.exact import of_array, scaled
from bnfold.fold.plan import Answer, NewNode, Operand, Refusal, Replace, Rule

_MASKED = Refusal("fills-with-zeros", "outside and under its mask are zeros, where no shift is")


def deform_after(node: ir.Node, demands: Mapping[int, Affine], facts: Facts) -> Answer:
    """s[o] (sum W x + b[o]) + t[o] = sum (s[o] W[o]) x + (s[o] b[o] + t[o]), wherever it looks."""
    kernel = conv_constants_of(node, facts, bias=3)
    if isinstance(kernel, Refusal):
        return kernel
    found = scaled_rows(kernel, demands[0])
    if found is None:
        return NOT_PER_CHANNEL
    folded, moved = found
    bias = of_array(moved, folded.dtype) if input_of(node, 3) or np.any(moved) else None
    return [_absorbed(node, (node.inputs[0], folded, node.inputs[2], bias))]


def deform_before(node: ir.Node, affines: Mapping[int, Affine], facts: Facts) -> Answer:
    """sum W (s x') = sum (W s) x', as interpolating is linear; zeros and masks take no shift."""
    if set(affines) != {0}:
        return ARRIVES
    kernel = conv_constants_of(node, facts, bias=3)
    if isinstance(kernel, Refusal):
        return kernel
    if affines[0].has_shift:
        return _MASKED
    weight, group = kernel.weight, kernel.group
    channels = affines[0].channels(1, weight.shape[1] * group)
    if channels is None:
        return NOT_PER_CHANNEL
    folded = scaled(weight, per_group(channels[0], weight, group))
    return [_absorbed(node, (node.inputs[0], folded, node.inputs[2], input_of(node, 3)))]


def _absorbed(node: ir.Node, inputs: tuple[Operand, ...]) -> Replace:
    mask = input_of(node, 4)
    inputs = (*inputs, mask) if mask is not None else inputs
    return Replace((NewNode("DeformConv", inputs if inputs[-1] is not None else inputs[:-1]),))


RULES = (Rule("conv", ("DeformConv",), backward=deform_after, forward=deform_before, copied=True),)
