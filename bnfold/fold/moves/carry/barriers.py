"""Operators that stop an affine for a reason of their own, better said than "not linear"."""

from __future__ import annotations

from collections.abc import Mapping

import onnx_ir as ir

from bnfold.fold.facts.graph import Facts
from bnfold.fold.numbers.affine import Affine
from bnfold.fold.plan import Answer, Leave, Refusal, Rule

_CAST = Refusal("cast", "it rounds to another type in between, so the fold would round differently")
_QUANTIZED = Refusal(
    "activation-quantised",
    "it rounds the tensor to integers, so the affine is no part of the layer before",
    advice="fold first, then quantise",
)


def cast(node: ir.Node, affines: Mapping[int, Affine], facts: Facts) -> Answer:
    """A Cast is rounding, which moves with the affine; unless it is to the type that x has."""
    x = node.inputs[0]
    before = None if x is None else facts.dtype(x)
    if before is None or before != facts.dtype(node.outputs[0]) or set(affines) != {0}:
        return _CAST
    return [Leave({0: affines[0]})]


def quantized(_node: ir.Node, _affines: Mapping[int, Affine], _facts: Facts) -> Answer:
    """round(s x) is not s round(x)."""
    return _QUANTIZED


RULES = (
    Rule("cast", ("Cast", "CastLike"), backward=cast, forward=cast),
    Rule("quantize", ("QuantizeLinear",), backward=quantized, forward=quantized),
)
