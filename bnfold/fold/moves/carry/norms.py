"""Sums of powers: ReduceL1, ReduceL2, LpPool. ||s x|| = |s| ||x||, and no shift passes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import onnx_ir as ir

from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import is_op
from bnfold.fold.moves.carry.pool import reduce_after, reduce_before
from bnfold.fold.numbers.affine import Affine
from bnfold.fold.plan import Answer, Leave, Refusal, Rule

_SHIFT = Refusal("shift-before-norm", "it adds up powers, and a shift changes each differently")
_SIGN = Refusal("negative-scale", "what it makes has no sign, and cannot take a negative scale")
_IN_SPACE = Refusal("not-per-channel", "the affine varies along an axis that it pools")


def norm_after(node: ir.Node, demands: Mapping[int, Affine], facts: Facts) -> Answer:
    """s ||x|| = ||s x|| for s >= 0; padded zeros stay zeros."""
    refusal = _refusal(node, demands)
    if refusal is not None:
        return refusal
    if not demands[0].is_nonnegative:
        return _SIGN
    if is_op(node, "ReduceL1", "ReduceL2"):
        return reduce_after(node, demands, facts)
    return [Leave({0: demands[0]})]


def norm_before(node: ir.Node, gauges: Mapping[int, Affine], facts: Facts) -> Answer:
    """||s x'|| = |s| ||x'|| for any s."""
    refusal = _refusal(node, gauges)
    if refusal is not None:
        return refusal
    positive = replace(gauges[0], scale=np.abs(gauges[0].scale))
    if is_op(node, "ReduceL1", "ReduceL2"):
        return reduce_before(node, {0: positive}, facts)
    return [Leave({0: positive})]


def _refusal(node: ir.Node, affines: Mapping[int, Affine]) -> Refusal | None:
    if set(affines) != {0}:
        return Refusal("dynamic-axes", "which axes it reduces is not known")
    if affines[0].has_shift:
        return _SHIFT
    pools = is_op(node, "LpPool", "GlobalLpPool")
    in_space = range(2, affines[0].rank) if pools else ()
    return _IN_SPACE if any(affines[0].varies_along(axis) for axis in in_space) else None


RULES = (
    Rule(
        "norm",
        ("ReduceL1", "ReduceL2", "LpPool", "GlobalLpPool"),
        backward=norm_after,
        forward=norm_before,
    ),
)
