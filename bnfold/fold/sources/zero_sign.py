"""The sign of a zero, which is nothing until something divides by it: x / +0 and x / -0.

A batch norm, or an Add, makes +0 of -0 where its shift is 0; a negative factor behind one makes -0
of that again. Without the node, or with it in the weights of another, a zero has another sign.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import describe, is_op
from bnfold.fold.plan import Refusal
from bnfold.fold.sources.source import Source, source_of

_MAKES_ITS_OWN = frozenset(
    "Abs ArgMax ArgMin Conv ConvTranspose Cos Cosh Equal Exp GRU Gemm Greater GreaterOrEqual "
    "GroupNormalization HardSigmoid InstanceNormalization LSTM LayerNormalization Less "
    "LessOrEqual Log LogSoftmax MatMul RNN ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp "
    "ReduceSumSquare Shape Sigmoid Size Softmax Softplus".split()
)
"""The sign of a zero that it makes, if any, does not come from one that it was given."""

_MOST = 256
"""Nodes that are looked at behind one: a zero that goes further has met an operator above."""


def sign_of_zero(source: Source, facts: Facts) -> Refusal | None:
    """Why the node stays where a zero that it makes, or would not make, may come to divide."""
    affine = source.affine
    signs = np.any(affine.scale < 0) if _is_factor(source) else np.any(affine.shift == 0)
    if not signs:
        return None
    divides = _divides(source.node.outputs[0], facts)
    if divides is None:
        return None
    return Refusal(
        "not-linear",
        f"{describe(divides)} may divide by it, and it decides the sign of what is x / 0",
        at=describe(divides),
    )


def _is_factor(source: Source) -> bool:
    """Whether nothing is added: the sign of each zero is that of the factor and the number's."""
    return is_op(source.node, "Mul", "Div")


def _divides(value: ir.Value, facts: Facts) -> ir.Node | None:
    """What divides by the value, or by what has its zeros."""
    pending, seen = [value], {value}
    while pending and len(seen) <= _MOST:
        now = pending.pop()
        for use in now.uses():
            node = use.node
            if is_op(node, "Reciprocal") or (is_op(node, "Div") and use.idx == 1):
                return node
            if is_op(node, "Pow") and use.idx == 0 and not _is_positive_power(node, facts):
                return node
            if is_op(node, *_MAKES_ITS_OWN) or _adds(node, facts):
                continue
            new = [output for output in node.outputs if output not in seen]
            seen.update(new)
            pending.extend(new)
    return None


def _is_positive_power(node: ir.Node, facts: Facts) -> bool:
    exponent = facts.constant(node.inputs[1])
    return exponent is not None and bool(np.all(exponent >= 0))


def _adds(node: ir.Node, facts: Facts) -> bool:
    """Whether it makes +0 of each zero."""
    found = source_of(node, facts)
    if not isinstance(found, Source) or _is_factor(found):
        return False
    return not np.any(np.signbit(found.affine.shift) & (found.affine.shift == 0))
