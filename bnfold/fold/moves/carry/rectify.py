"""Operators f with f(s x) = s f(x) for s >= 0: such a scale passes, a shift does not."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx_ir as ir

from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import attribute_of, input_of, is_op
from bnfold.fold.moves.priced.rectifier import bounded_after, bounded_before
from bnfold.fold.numbers.affine import Affine
from bnfold.fold.plan import Answer, Leave, Refusal, Rule

SHIFT = Refusal(
    "shift-before-rectifier",
    "it treats positive and negative numbers differently, so a shift cannot pass",
)
_SIGN = Refusal("negative-scale", "a negative scale cannot pass it: it would swap the two sides")
_DYNAMIC = Refusal("dynamic-bounds", "its bounds are known only at run time")
_INVERTED = Refusal(
    "inverted-bounds", "its min is not below its max: whatever it is given, it makes its max"
)
_BOUNDED = Refusal("bounded", "it cuts off at a bound that is not 0, which a scale would move")


def rectify_after(node: ir.Node, demands: Mapping[int, Affine], facts: Facts) -> Answer:
    """s * max(x, 0) = max(s x, 0) for s >= 0; so for LeakyRelu, PRelu and |x|.

    With a shift, or a negative scale, only as a rectifier with bounds per channel, at a price.
    """
    refusal = _refusal(node, demands, facts)
    if refusal is None:
        return [Leave({0: demands[0]})]
    if refusal is _INVERTED:
        return refusal
    return bounded_after(node, demands[0], _bounds(node, facts), refusal, facts)


def rectify_before(node: ir.Node, gauges: Mapping[int, Affine], facts: Facts) -> Answer:
    """max(s x', 0) = s * max(x', 0) for s >= 0; so for LeakyRelu, PRelu and |x|.

    With a shift, or a negative scale, only as a rectifier with bounds per channel, at a price.
    """
    refusal = _refusal(node, gauges, facts)
    if refusal is None:
        return [Leave({0: gauges[0]})]
    bounds = _bounds(node, facts) if set(gauges) == {0} and refusal is not _INVERTED else None
    return bounded_before(node, gauges[0], bounds, refusal, facts) if bounds else refusal


def _refusal(node: ir.Node, affines: Mapping[int, Affine], facts: Facts) -> Refusal | None:
    if set(affines) != {0}:
        return Refusal("dynamic-operand", "the affine arrives at its slope or bounds")
    bounds = _bounds(node, facts)
    if bounds is not None and not bounds[0] < bounds[1]:
        return _INVERTED
    if is_op(node, "Clip") and (
        bounds is None or bounds[0] not in (0.0, -np.inf) or bounds[1] != np.inf
    ):
        return _BOUNDED if bounds else _DYNAMIC
    if affines[0].has_shift:
        return SHIFT
    return None if affines[0].is_nonnegative else _SIGN


def _bounds(node: ir.Node, facts: Facts) -> tuple[float, float] | None:
    """The least and the largest number that a Relu or Clip lets through; None for the others."""
    if is_op(node, "Relu"):
        return 0.0, np.inf
    if not is_op(node, "Clip"):
        return None
    found = []
    for index, name, absent in ((1, "min", -np.inf), (2, "max", np.inf)):
        value = input_of(node, index)
        if value is None:
            found.append(float(attribute_of(node, name, absent)))
            continue
        constant = facts.constant(value)
        if constant is None or constant.size != 1:
            return None
        found.append(float(constant.reshape(())))
    return found[0], found[1]


RULES = (
    Rule(
        "rectify",
        ("Relu", "LeakyRelu", "PRelu", "Abs", "Clip"),
        backward=rectify_after,
        forward=rectify_before,
    ),
)
