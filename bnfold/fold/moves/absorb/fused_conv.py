"""FusedConv, as onnxruntime writes optimised models: a Conv, a value added, and an activation.

Letters: y = f(conv(x, W) + b + z), with z left out or of the shape of y; f nothing, Relu,
LeakyRelu, or another function, through which nothing moves.
Source: onnxruntime, contributed operators, com.microsoft.FusedConv-1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import onnx_ir as ir

from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import FUSED_CONV, attribute_of, input_of
from bnfold.fold.facts.window import sees_padding
from bnfold.fold.moves.absorb.conv import conv_after, conv_before
from bnfold.fold.moves.operands import ARRIVES, weight_of
from bnfold.fold.numbers.affine import Affine
from bnfold.fold.plan import Answer, NewNode, Operand, Refusal, Replace, Rule

_RECTIFIERS = ("Relu", "LeakyRelu")
_ACTIVATION = Refusal("not-linear", "it ends in an activation, through which nothing moves")
_SHIFT = Refusal(
    "shift-before-rectifier",
    "it ends in a rectifier, which treats positive and negative numbers differently",
)
_SIGN = Refusal("negative-scale", "it ends in a rectifier, whose sides a negative scale would swap")


_PADDED = Refusal("padded-shift", "it pads with zeros, which the shift would not reach")


def fused_after(node: ir.Node, demands: Mapping[int, Affine], facts: Facts) -> Answer:
    """s f(conv(x, W) + b + z) = f(conv(x, s W) + s b + s z) for s >= 0; without f, s y + t too."""
    activation = attribute_of(node, "activation", "")
    if activation and activation not in _RECTIFIERS:
        return _ACTIVATION
    if activation and demands[0].has_shift:
        return _SHIFT
    if activation and not demands[0].is_nonnegative:
        return _SIGN
    return _fused(node, conv_after(node, demands, facts), demands[0].only_scale())


def fused_before(node: ir.Node, affines: Mapping[int, Affine], facts: Facts) -> Answer:
    """conv(s x + t, W) + b as for a Conv, before whatever is added and applied."""
    if set(affines) != {0}:
        return ARRIVES
    weight = weight_of(node, facts)
    if isinstance(weight, Refusal):
        return weight
    if affines[0].has_shift and sees_padding(node, weight.shape[2:], facts):
        return _PADDED
    return _fused(node, conv_before(node, affines, facts), None)


def _fused(node: ir.Node, found: Answer, added: Affine | None) -> Answer:
    """The Conv's answer as one of this operator, where it is one node and costs nothing."""
    if isinstance(found, Refusal):
        return found
    moves = [_named(node, move, added) for move in _plain(found)]
    return moves or _ACTIVATION


def _plain(found: Sequence[object]) -> list[Replace]:
    whole = [move for move in found if isinstance(move, Replace)]
    return [move for move in whole if len(move.nodes) == 1 and move.price is None]


def _named(node: ir.Node, move: Replace, added: Affine | None) -> Replace:
    (conv,) = move.nodes
    inputs: tuple[Operand, ...] = conv.inputs
    z = input_of(node, 3)
    if z is not None:
        inputs = (*inputs, *(None for _ in range(3 - len(inputs))), z)
    passes = {3: added} if z is not None and added is not None else {}
    return Replace((NewNode("FusedConv", inputs),), passes)


RULES = (Rule("conv", (FUSED_CONV,), backward=fused_after, forward=fused_before),)
