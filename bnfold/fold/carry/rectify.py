"""Operators f with f(s x) = s f(x) for s >= 0: such a scale passes, a shift does not."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx_ir as ir

from bnfold.fold.affine import Affine
from bnfold.fold.graph import Facts, attribute_of, input_of
from bnfold.fold.plan import Answer, Refusal, Rule, Step

SHIFT = Refusal(
    "shift-before-rectifier",
    "it treats positive and negative numbers differently, so a shift cannot pass",
)
_SIGN = Refusal("negative-scale", "a negative scale cannot pass it: it would swap the two sides")
_DYNAMIC = Refusal("dynamic-bounds", "its bounds are not 0 and infinity")


def rectify_after(node: ir.Node, demands: Mapping[int, Affine], facts: Facts) -> Answer:
    """s * max(x, 0) = max(s x, 0) for s >= 0; so for LeakyRelu, PRelu and |x|."""
    return _pass(node, demands, facts)


def rectify_before(node: ir.Node, gauges: Mapping[int, Affine], facts: Facts) -> Answer:
    """max(s x', 0) = s * max(x', 0) for s >= 0; so for LeakyRelu, PRelu and |x|."""
    return _pass(node, gauges, facts)


def _pass(node: ir.Node, affines: Mapping[int, Affine], facts: Facts) -> Answer:
    if set(affines) != {0}:
        return Refusal("dynamic-operand", "the affine arrives at its slope or bounds")
    if node.op_type == "Clip" and not _is_relu(node, facts):
        return _DYNAMIC
    if affines[0].has_shift:
        return SHIFT
    if not affines[0].is_nonnegative:
        return _SIGN
    return [Step("rectify", {0: affines[0]})]


def _is_relu(node: ir.Node, facts: Facts) -> bool:
    """Clip between 0 (or nothing) and nothing."""
    if any(name in node.attributes for name in ("min", "max")) or len(node.inputs) == 1:
        low = attribute_of(node, "min", -np.inf)
        high = attribute_of(node, "max", np.inf)
        return bool(low in (0.0, -np.inf) and high == np.inf)
    low_value, high_value = input_of(node, 1), input_of(node, 2)
    high = facts.constant(high_value)
    if high_value is not None and (high is None or not np.all(high == np.inf)):
        return False
    low = facts.constant(low_value)
    return low_value is None or (low is not None and bool(np.all((low == 0) | (low == -np.inf))))


RULES = (
    Rule(
        "rectify",
        ("Relu", "LeakyRelu", "PRelu", "Abs", "Clip"),
        backward=rectify_after,
        forward=rectify_before,
    ),
)
