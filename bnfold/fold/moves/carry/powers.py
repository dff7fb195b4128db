"""Powers of one value: Sqrt, Reciprocal, and Pow by a constant. (s x)^p = s^p x^p."""

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
_SIGN = Refusal("negative-scale", "it has no power, or no root, of a negative scale")
_ZERO = Refusal("zero-scale", "a scale of 0 would no longer hide what has no power")
_EXPONENT = Refusal("not-linear", "its exponent is not one constant number, or too high")
_ROOT = Refusal("root-of-rounding", "a 0 that rounds to less than 0 would have no root")


def power_after(node: ir.Node, demands: Mapping[int, Affine], facts: Facts) -> Answer:
    """s x^p = (r x)^p, r^p = s, for s > 0 and an integer p; see `root_after` for others."""
    exponent = _exponent(node, facts)
    if exponent is not None and exponent != round(exponent):
        return _ROOT
    refusal = _refusal(node, demands, exponent, facts)
    if refusal is not None or exponent is None:
        return refusal or _EXPONENT
    return _SIGN if not demands[0].is_nonnegative else [_raised(demands[0], 1 / exponent)]


def power_before(node: ir.Node, affines: Mapping[int, Affine], facts: Facts) -> Answer:
    """(s x')^p = s^p x'^p: for s > 0, where both are NaN or neither is; else for an integer p."""
    exponent = _exponent(node, facts)
    refusal = _refusal(node, affines, exponent, facts)
    if refusal is not None or exponent is None:
        return refusal or _EXPONENT
    if not affines[0].is_nonnegative and exponent != round(exponent):
        return _SIGN
    return [_raised(affines[0], exponent)]


def root_after(_node: ir.Node, _demands: Mapping[int, Affine], _facts: Facts) -> Answer:
    """s sqrt(x) = sqrt(s^2 x), but of an x that new weights round to less than 0 there is none."""
    return _ROOT


def _refusal(
    node: ir.Node, affines: Mapping[int, Affine], exponent: float | None, facts: Facts
) -> Refusal | None:
    if set(affines) != {0} or exponent is None:
        return _EXPONENT
    if affines[0].has_shift:
        return _SHIFT
    if facts.dtype(node.outputs[0]) == ir.DataType.FLOAT16:
        return RANGE
    return _ZERO if np.any(affines[0].scale == 0) else None


def _raised(affine: Affine, exponent: float) -> Leave:
    return Leave({0: replace(affine, scale=np.power(affine.scale, exponent))})


def _exponent(node: ir.Node, facts: Facts) -> float | None:
    """To which power; None where it is unknown, differs between entries, is 0 or is too high."""
    if not is_op(node, "Pow"):
        return 0.5 if is_op(node, "Sqrt") else -1.0
    constant, rank = facts.constant(node.inputs[1]), facts.rank(node.inputs[0])
    if constant is None or rank is None or constant.size != 1 or constant.ndim > rank:
        return None
    exponent = float(constant.reshape(()))
    return exponent if 0 < abs(exponent) <= _HIGHEST else None


RULES = (
    Rule("power", ("Reciprocal", "Pow"), backward=power_after, forward=power_before),
    Rule("power", ("Sqrt",), forward=power_before),
    Rule("root", ("Sqrt",), backward=root_after),
)
