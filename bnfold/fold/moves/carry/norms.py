"""Sums of powers: ReduceL1, ReduceL2, LpPool. ||s x|| = |s| ||x||, and no shift passes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import onnx_ir as ir

from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import is_op
from bnfold.fold.moves.carry.along import alike, in_space
from bnfold.fold.moves.carry.pool import reduce_after, reduce_before
from bnfold.fold.numbers.affine import Affine
from bnfold.fold.plan import Answer, Leave, Refusal, Rule

_SHIFT = Refusal("shift-before-norm", "it adds up powers, and a shift changes each differently")
_SIGN = Refusal("negative-scale", "what it makes has no sign, and cannot take a negative scale")


def norm_after(node: ir.Node, demands: Mapping[int, Affine], facts: Facts) -> Answer:
    """s ||x|| = ||s x|| for s >= 0; padded zeros stay zeros."""
    found = _answer(node, demands)
    if isinstance(found, Refusal):
        return found
    if not demands[0].is_nonnegative:
        return _SIGN
    if is_op(node, "ReduceL1", "ReduceL2"):
        return reduce_after(node, demands, facts)
    return found


def norm_before(node: ir.Node, affines: Mapping[int, Affine], facts: Facts) -> Answer:
    """||s x'|| = |s| ||x'|| for any s."""
    found = _answer(node, affines)
    if isinstance(found, Refusal):
        return found
    positive = replace(affines[0], scale=np.abs(affines[0].scale))
    if is_op(node, "ReduceL1", "ReduceL2"):
        return reduce_before(node, {0: positive}, facts)
    return [Leave({0: positive})]


def _answer(node: ir.Node, affines: Mapping[int, Affine]) -> Answer:
    """Reductions see to their axes themselves."""
    pools = is_op(node, "LpPool", "GlobalLpPool")
    return alike(affines, in_space(affines) if pools else (), shift=_SHIFT)


RULES = (
    Rule(
        "norm",
        ("ReduceL1", "ReduceL2", "LpPool", "GlobalLpPool"),
        backward=norm_after,
        forward=norm_before,
    ),
)
