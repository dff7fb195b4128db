"""FusedConv and FusedGemm, as onnxruntime writes optimised models: with an activation behind.

Letters: y = f(conv(x, W) + b + z), with z left out or of the shape of y, or y = f(gemm(x, W, C));
f nothing, Relu, LeakyRelu, or another function, through which nothing moves.
Source: onnxruntime, contributed operators, com.microsoft.FusedConv-1 and FusedGemm-1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import onnx_ir as ir

from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import FUSED_CONV, FUSED_GEMM, attribute_of, input_of
from bnfold.fold.facts.window import sees_padding
from bnfold.fold.moves.absorb.conv import conv_after, conv_before
from bnfold.fold.moves.absorb.gemm import gemm_after, gemm_before
from bnfold.fold.moves.operands import ARRIVES, weight_of
from bnfold.fold.numbers.affine import Affine
from bnfold.fold.plan import Answer, Operand, Refusal, Replace, Rule

_RECTIFIERS = ("Relu", "LeakyRelu")
_ACTIVATION = Refusal("not-linear", "it ends in an activation, through which nothing moves")
_SHIFT = Refusal(
    "shift-before-rectifier",
    "it ends in a rectifier, which treats positive and negative numbers differently",
)
_SIGN = Refusal("negative-scale", "it ends in a rectifier, whose sides a negative scale would swap")
_PADDED = Refusal("padded-shift", "it pads with zeros, which the shift would not reach")


def fused_conv_after(node: ir.Node, demands: Mapping[int, Affine], facts: Facts) -> Answer:
    """s f(conv(x, W) + b + z) = f(conv(x, s W) + s b + s z) for s >= 0; without f, s y + t too."""
    found = _stopped(node, demands[0]) or conv_after(node, demands, facts)
    return _fused(node, "FusedConv", found, demands[0].only_scale())


def fused_conv_before(node: ir.Node, affines: Mapping[int, Affine], facts: Facts) -> Answer:
    """conv(s x + t, W) + b as for a Conv, before whatever is added and applied."""
    if set(affines) != {0}:
        return ARRIVES
    weight = weight_of(node, facts)
    if isinstance(weight, Refusal):
        return weight
    if affines[0].has_shift and sees_padding(node, weight.shape[2:], facts):
        return _PADDED
    return _fused(node, "FusedConv", conv_before(node, affines, facts), None)


def fused_gemm_after(node: ir.Node, demands: Mapping[int, Affine], facts: Facts) -> Answer:
    """s f(gemm(x, W, C)) = f(gemm(x, s W, s C)) for s >= 0; without f, s y + t too."""
    found = _stopped(node, demands[0]) or gemm_after(node, demands, facts)
    return _fused(node, "FusedGemm", found, None)


def fused_gemm_before(node: ir.Node, affines: Mapping[int, Affine], facts: Facts) -> Answer:
    """gemm(s x + t, W, C) as for a Gemm, before the activation."""
    return _fused(node, "FusedGemm", gemm_before(node, affines, facts), None)


def _stopped(node: ir.Node, demand: Affine) -> Refusal | None:
    """Why the activation lets the affine not pass."""
    activation = attribute_of(node, "activation", "")
    if activation and activation not in _RECTIFIERS:
        return _ACTIVATION
    if activation and demand.has_shift:
        return _SHIFT
    return _SIGN if activation and not demand.is_nonnegative else None


def _fused(node: ir.Node, operator: str, found: Answer, added: Affine | None) -> Answer:
    """The plain operator's answer as one of this: it is one node, as no padding sees a shift.

    Args:
        added: what is passed to the value that is added before the activation.
    """
    if isinstance(found, Refusal):
        return found
    moves = [_named(node, operator, move, added) for move in found if isinstance(move, Replace)]
    if attribute_of(node, "activation", ""):  # behind which nothing passes on
        moves = [
            m for m in moves if added is not None or all(a.is_identity for a in m.passes.values())
        ]
    return moves or _ACTIVATION


def _named(node: ir.Node, operator: str, move: Replace, added: Affine | None) -> Replace:
    (plain,) = move.nodes
    inputs: tuple[Operand, ...] = plain.inputs
    z = input_of(node, 3)
    if z is not None:
        inputs = (*inputs, *(None for _ in range(3 - len(inputs))), z)
    passes = {**move.passes, 3: added} if z is not None and added is not None else move.passes
    return replace(move, nodes=(replace(plain, op_type=operator, inputs=inputs),), passes=passes)


RULES = (
    Rule("conv", (FUSED_CONV,), backward=fused_conv_after, forward=fused_conv_before),
    Rule("gemm", (FUSED_GEMM,), backward=fused_gemm_after, forward=fused_gemm_before),
)
