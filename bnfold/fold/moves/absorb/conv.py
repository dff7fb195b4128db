"""Conv takes an affine on either side into its weight and bias; all ranks and groups.

Letters: x [N, Cin, *size], W [Cout, Cin/group, *kernel], b [Cout]; s, t the affine's channels.
Source: ONNX operators, Conv-1 and Conv-11.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx_ir as ir

from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import input_of
from bnfold.fold.facts.window import sees_padding
from bnfold.fold.moves.operands import ARRIVES, NOT_PER_CHANNEL, ConvConstants, conv_constants_of
from bnfold.fold.moves.priced.constant_map import conv_map
from bnfold.fold.numbers.affine import Affine, Array
from bnfold.fold.numbers.exact import Exact, of_array, reduced, scaled
from bnfold.fold.plan import Answer, NewNode, Refusal, Replace, Rule


def conv_after(node: ir.Node, demands: Mapping[int, Affine], facts: Facts) -> Answer:
    """An affine that follows a Conv becomes part of it.

    s[o] * (conv(x, W)[o] + b[o]) + t[o] = conv(x, s[o] W[o])[o] + (s[o] b[o] + t[o])

    Padding, strides and dilations do not enter: each output channel is scaled as a whole.
    """
    kernel = conv_constants_of(node, facts, bias=2)
    if isinstance(kernel, Refusal):
        return kernel
    found = scaled_rows(kernel, demands[0])
    return NOT_PER_CHANNEL if found is None else [_absorbed(node, *found)]


def conv_before(node: ir.Node, affines: Mapping[int, Affine], facts: Facts) -> Answer:
    """An affine that precedes a Conv becomes part of it.

    conv(s x' + t, W)[o] = conv(x', W')[o] + sum_{i,k} W[o, i, k] t[i],   W'[o, i] = W[o, i] s[i]

    The sum is the same at every position only if no padding is seen, or if t = 0: padding is
    zeros, not t. Channel i of group q is `q * Cin/group + i` of x.
    """
    if set(affines) != {0}:
        return ARRIVES
    kernel = conv_constants_of(node, facts, bias=2)
    if isinstance(kernel, Refusal):
        return kernel
    weight, group = kernel.weight, kernel.group
    channels = affines[0].channels(1, weight.shape[1] * group)
    if channels is None:
        return NOT_PER_CHANNEL
    s, t = channels
    folded = scaled(weight, per_group(s, weight, group))
    if affines[0].has_shift and sees_padding(node, weight.shape[2:], facts):
        return conv_map(node, weight, folded, t, facts)
    per_row = per_group(t, weight, group)

    def contribution(rows: Array, start: int, stop: int) -> Array:
        part = per_row[start:stop] if per_row.shape[0] > 1 else per_row
        return np.asarray((rows * part).sum(axis=tuple(range(1, rows.ndim))))

    added = reduced(weight, contribution, concatenate=True) if affines[0].has_shift else 0.0
    keep = not affines[0].has_shift and input_of(node, 2) is None
    return [_absorbed(node, folded, None if keep else kernel.bias + added)]


def _absorbed(node: ir.Node, weight: Exact, bias: Array | None) -> Replace:
    x = node.inputs[0]
    if bias is None or (input_of(node, 2) is None and not np.any(bias)):
        return Replace((NewNode("Conv", (x, weight)),))
    return Replace((NewNode("Conv", (x, weight, of_array(bias, weight.dtype))),))


def scaled_rows(kernel: ConvConstants, affine: Affine) -> tuple[Exact, Array] | None:
    """s[o] W[o] and s[o] b[o] + t[o]; None where the affine is not one of the output's channels."""
    channels = affine.channels(1, kernel.weight.shape[0])
    if channels is None:
        return None
    s, t = channels
    return scaled(kernel.weight, column(s, len(kernel.weight.shape))), s * kernel.bias + t


def column(vector: Array, rank: int) -> Array:
    """`[Cout]` laid against W."""
    return vector.reshape((-1,) + (1,) * (rank - 1))


def per_group(vector: Array, weight: Exact, group: int) -> Array:
    """`[Cin]` laid against W: row o of group q sees the channels of group q."""
    spatial = (1,) * (len(weight.shape) - 2)
    by_group = vector.reshape(group, weight.shape[1])
    if group == 1:
        return by_group.reshape(1, weight.shape[1], *spatial)
    rows = np.repeat(by_group, weight.shape[0] // group, axis=0)
    return rows.reshape(weight.shape[0], weight.shape[1], *spatial)


RULES = (Rule("conv", ("Conv",), backward=conv_after, forward=conv_before, copied=True),)
