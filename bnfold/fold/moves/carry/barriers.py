"""Operators that stop an affine for a reason of their own, better said than "not linear"."""

from __future__ import annotations

from collections.abc import Mapping

import onnx_ir as ir

from bnfold.fold.facts.graph import Facts
from bnfold.fold.moves.priced.cast import cast_after, cast_before
from bnfold.fold.numbers.affine import Affine
from bnfold.fold.plan import Answer, Refusal, Rule

_QUANTIZED = Refusal(
    "activation-quantised",
    "it rounds the tensor to integers, so the affine is no part of the layer before",
    advice="fold first, then quantise",
)


def quantized(_node: ir.Node, _affines: Mapping[int, Affine], _facts: Facts) -> Answer:
    """round(s x) is not s round(x)."""
    return _QUANTIZED


RULES = (
    Rule("cast", ("Cast", "CastLike"), backward=cast_after, forward=cast_before),
    Rule("quantize", ("QuantizeLinear",), backward=quantized, forward=quantized),
)
