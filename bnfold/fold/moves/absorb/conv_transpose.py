"""ConvTranspose takes an affine on either side into its weight and bias.

Letters: x [N, Cin, *size], W [Cin, Cout/group, *kernel], b [Cout]. Output channel
`o = q * (Cout/group) + j` is made by `W[q * Cin/group : (q + 1) * Cin/group, j]`.
Source: ONNX operators, ConvTranspose-1 and ConvTranspose-11.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx_ir as ir

from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import attribute_of, input_of
from bnfold.fold.moves.operands import ARRIVES, NOT_PER_CHANNEL, bias_of, weight_of
from bnfold.fold.moves.priced.constant_map import transpose_map
from bnfold.fold.numbers.affine import Affine, Array
from bnfold.fold.numbers.exact import Exact, of_array, scaled
from bnfold.fold.plan import Answer, NewNode, Refusal, Replace, Rule


def transpose_after(node: ir.Node, demands: Mapping[int, Affine], facts: Facts) -> Answer:
    """An affine that follows a ConvTranspose becomes part of it.

    s[o] * (convT(x, W)[o] + b[o]) + t[o] = convT(x, W')[o] + (s[o] b[o] + t[o]), where W' scales
    the block that makes channel o by s[o].
    """
    weight = weight_of(node, facts)
    if isinstance(weight, Refusal):
        return weight
    group = attribute_of(node, "group", 1)
    channels = demands[0].channels(1, weight.shape[1] * group)
    if channels is None:
        return NOT_PER_CHANNEL
    s, t = channels
    b = bias_of(node, 2, s.size, facts)
    if isinstance(b, Refusal):
        return b
    rows = np.repeat(s.reshape(group, weight.shape[1]), weight.shape[0] // group, axis=0)
    folded = scaled(weight, rows.reshape(rows.shape + (1,) * (len(weight.shape) - 2)))
    return [_absorbed(node, folded, s * b + t)]


def transpose_before(node: ir.Node, affines: Mapping[int, Affine], facts: Facts) -> Answer:
    """A scale that precedes a ConvTranspose becomes part of it.

    convT(s x', W) = convT(x', W'),   W'[i] = s[i] W[i]

    A shift does not: how many taps reach an output position differs from position to position,
    padding or not. Only where there is one tap for each position, it becomes part of the bias:
    b'[o] = b[o] + sum_i W[i, j] t[i].
    """
    if set(affines) != {0}:
        return ARRIVES
    weight = weight_of(node, facts)
    if isinstance(weight, Refusal):
        return weight
    channels = affines[0].channels(1, weight.shape[0])
    if channels is None:
        return NOT_PER_CHANNEL
    s, t = channels
    folded = scaled(weight, s.reshape((-1,) + (1,) * (len(weight.shape) - 1)))
    if affines[0].has_shift and _is_pointwise(node, weight):
        b = bias_of(node, 2, weight.shape[1] * attribute_of(node, "group", 1), facts)
        if isinstance(b, Refusal):
            return b
        return [_absorbed(node, folded, b + _sum_of(weight, t, node))]
    if affines[0].has_shift:
        return transpose_map(node, weight, folded, t, facts)
    return [_absorbed(node, folded, None)]


def _is_pointwise(node: ir.Node, weight: Exact) -> bool:
    """One tap for each output position: kernel 1, stride 1, nothing cropped or added."""
    plain = all(not any(attribute_of(node, name, ())) for name in ("pads", "output_padding"))
    strides = attribute_of(node, "strides", ())
    whole = "output_shape" not in node.attributes
    return plain and whole and all(k == 1 for k in (*weight.shape[2:], *strides))


def _sum_of(weight: Exact, t: Array, node: ir.Node) -> Array:
    """`sum_i W[i, j] t[i]` for every output channel, of a pointwise kernel."""
    group = attribute_of(node, "group", 1)
    rows = weight.shape[0] // group
    kernel = weight.value().reshape(group, rows, weight.shape[1])
    return np.asarray(np.einsum("qij,qi->qj", kernel, t.reshape(group, rows)).reshape(-1))


def _absorbed(node: ir.Node, weight: Exact, bias: Array | None) -> Replace:
    x, stored = node.inputs[0], input_of(node, 2)
    if bias is None or (stored is None and not np.any(bias)):
        inputs = (x, weight) if stored is None else (x, weight, stored)
        return Replace((NewNode("ConvTranspose", inputs),))
    bias_constant = of_array(bias, weight.dtype)
    return Replace((NewNode("ConvTranspose", (x, weight, bias_constant)),))


RULES = (
    Rule(
        "conv-transpose",
        ("ConvTranspose",),
        backward=transpose_after,
        forward=transpose_before,
        copied=True,
    ),
)
