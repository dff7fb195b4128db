"""Powers of one value: Sqrt, and Pow by a positive constant. (s x)^p = s^p x^p.

Not 1 / x and the like: of 0 they are an infinity, and its sign is that of the 0, which a batch norm
changes where its shift is 0 (-0 + 0 = +0).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import onnx_ir as ir

from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import is_op
from bnfold.fold.moves.range import RANGE
from bnfold.fold.numbers.affine import Affine
from bnfold.fold.plan import Answer, Leave, Refusal, Rule

_HIGHEST = 3
"""x^3 leaves the range of float32 beyond 1e12: a scale that kept x small is not missed."""

_SHIFT = Refusal("shift-before-power", "a power of a sum is no sum of powers, so no shift passes")
_SIGN = Refusal("negative-scale", "an even power, or a root, has no negative scale")
_ZERO = Refusal("zero-scale", "a scale of 0 would no longer hide what has no power")
_EXPONENT = Refusal("not-linear", "its exponent is no constant number between 0 and 3")
_ROOT = Refusal("root-of-rounding", "a 0 that rounds to less than 0 would have no root")


def power_after(node: ir.Node, demands: Mapping[int, Affine], facts: Facts) -> Answer:
    """s x^p = (r x)^p, r^p = s, for an integer p, and s > 0 where it is even; see `root_after`."""
    exponent = _exponent(node, facts)
    if isinstance(exponent, Refusal):
        return exponent
    if exponent != round(exponent):
        return _ROOT
    refusal = _stopped(node, demands[0], facts)
    if refusal is not None:
        return refusal
    if not demands[0].is_nonnegative and exponent % 2 == 0:
        return _SIGN
    size = np.abs(demands[0].scale)
    root = demands[0].scale / size * np.power(size, 1 / exponent)
    return [Leave({0: replace(demands[0], scale=root)})]


def power_before(node: ir.Node, affines: Mapping[int, Affine], facts: Facts) -> Answer:
    """(s x')^p = s^p x'^p: for s > 0, where both are NaN or neither is; else for an integer p."""
    exponent = _exponent(node, facts)
    if isinstance(exponent, Refusal):
        return exponent
    refusal = _stopped(node, affines[0], facts)
    if refusal is not None:
        return refusal
    if not affines[0].is_nonnegative and exponent != round(exponent):
        return _SIGN
    return [Leave({0: replace(affines[0], scale=np.power(affines[0].scale, exponent))})]


def root_after(_node: ir.Node, _demands: Mapping[int, Affine], _facts: Facts) -> Answer:
    """s sqrt(x) = sqrt(s^2 x), but of an x that new weights round to less than 0 there is none."""
    return _ROOT


def _stopped(node: ir.Node, affine: Affine, facts: Facts) -> Refusal | None:
    """Why the affine passes no power at all."""
    if affine.has_shift:
        return _SHIFT
    if facts.dtype(node.outputs[0]) == ir.DataType.FLOAT16:
        return RANGE
    return _ZERO if np.any(affine.scale == 0) else None


def _exponent(node: ir.Node, facts: Facts) -> float | Refusal:
    """To which power; or that it is no constant, as where the affine arrives there."""
    exponent = 0.5 if is_op(node, "Sqrt") else _constant_exponent(node, facts)
    return _EXPONENT if exponent is None else exponent


def _constant_exponent(node: ir.Node, facts: Facts) -> float | None:
    """Of a Pow; None where it is unknown, differs between entries, or is none of these."""
    constant, rank = facts.constant(node.inputs[1]), facts.rank(node.inputs[0]) or 0
    if constant is None or constant.size != 1 or constant.ndim > rank:
        return None
    exponent = float(constant.reshape(()))
    return exponent if 0 < exponent <= _HIGHEST else None


RULES = (
    Rule("power", ("Pow",), backward=power_after, forward=power_before),
    Rule("power", ("Sqrt",), forward=power_before),
    Rule("root", ("Sqrt",), backward=root_after),
)
