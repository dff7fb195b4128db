"""Operators f with f(s x) = s f(x) for s >= 0: such a scale passes, a shift does not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import onnx_ir as ir

from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import attribute_of, input_of, is_op
from bnfold.fold.moves.priced.rectifier import bounded_after, bounded_before
from bnfold.fold.numbers.affine import Affine
from bnfold.fold.numbers.exact import of_array
from bnfold.fold.plan import Answer, Leave, NewNode, Refusal, Replace, Rule
from bnfold.fold.sources.not_constant import not_constant

SHIFT = Refusal(
    "shift-before-rectifier",
    "it treats positive and negative numbers differently, so a shift cannot pass",
)
_SIGN = Refusal("negative-scale", "a negative scale cannot pass it: it would swap the two sides")
_DYNAMIC = Refusal("dynamic-bounds", "its bounds are known only at run time")
_INVERTED = Refusal(
    "inverted-bounds", "its min is not below its max: whatever it is given, it makes its max"
)
_LEAST_SLOPE = 1 / 1024  # below, 1 / slope would amplify what rounding leaves of the other side
_BOUNDED = Refusal("bounded", "it cuts off at a bound that is not 0, which a scale would move")


def rectify_after(node: ir.Node, demands: Mapping[int, Affine], facts: Facts) -> Answer:
    """s * max(x, 0) = max(s x, 0) for s >= 0; so for LeakyRelu, PRelu and |x|.

    With a shift, or a negative scale, only as a rectifier with bounds per channel, at a price.
    """
    refusal = _refusal(node, demands, facts)
    if refusal is None:
        return [Leave({0: demands[0]})]
    if refusal is _SIGN and is_op(node, "PRelu", "LeakyRelu"):
        return _turned(node, demands[0], facts)
    if refusal is _INVERTED:
        return refusal
    return bounded_after(node, demands[0], _bounds(node, facts), refusal, facts)


def rectify_before(node: ir.Node, affines: Mapping[int, Affine], facts: Facts) -> Answer:
    """max(s x', 0) = s * max(x', 0) for s >= 0; so for LeakyRelu, PRelu; |s x'| = |s| |x'|.

    With a shift, or a negative scale, only as a rectifier with bounds per channel, at a price.
    """
    refusal = _refusal(node, affines, facts)
    if refusal is None:
        return [Leave({0: affines[0]})]
    if refusal is _SIGN and is_op(node, "Abs"):
        return [Leave({0: replace(affines[0], scale=np.abs(affines[0].scale))})]
    if refusal is _SIGN and is_op(node, "PRelu", "LeakyRelu"):
        return _turned(node, affines[0], facts)
    bounds = None if refusal is _INVERTED else _bounds(node, facts)  # those of run time are None
    return bounded_before(node, affines[0], bounds, refusal, facts) if bounds else refusal


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


def _turned(node: ir.Node, affine: Affine, facts: Facts) -> Answer:
    """p(x; a) = x where x > 0, else a x. For s < 0 and a > 0 its two sides change places:

        s p(x; a) = p(s a x; 1 / a)         p(s x'; a) = s a p(x'; 1 / a)

    So the slope becomes 1 / a in such channels, and s a moves on; a LeakyRelu has one slope, so
    there all channels must be negative, and it becomes a PRelu where 1 / a is no float32.
    """
    leaky = is_op(node, "LeakyRelu")
    exact = None if leaky else facts.exact(node.inputs[1])
    if leaky:
        if not np.all(affine.scale < 0):
            return _SIGN
        slope = np.full((1,) * affine.rank, float(attribute_of(node, "alpha", np.float32(0.01))))
    elif exact is None:
        return not_constant(node.inputs[1], facts, "slope", "dynamic-slope")
    elif len(exact.shape) > affine.rank:
        return Refusal("not-per-channel", "its slope has more axes than what it applies to")
    else:
        slope = exact.value().reshape((1,) * (affine.rank - len(exact.shape)) + exact.shape)
    negative = affine.scale < 0
    if np.any(negative & (slope < _LEAST_SLOPE)):
        return _SIGN  # a slope below 0 bends both sides the same way
    passed = replace(affine, scale=np.where(negative, affine.scale * slope, affine.scale))
    turned = np.where(negative, 1 / np.where(negative, slope, 1.0), slope)
    if not passed.fits(facts.dims(node.inputs[0])):
        return Refusal("not-per-channel", "its slope varies along an axis of unknown extent")
    dtype = facts.dtype(node.outputs[0]) if exact is None else exact.dtype
    if exact is None:
        alpha = float(turned.reshape(-1)[0])
        if float(np.float32(alpha)) == alpha:  # as a file stores it
            new = NewNode("LeakyRelu", (node.inputs[0],), {"alpha": alpha})
            return [Replace((new,), {0: passed})]
        turned = np.array([alpha])
    if dtype is None:
        return _SIGN
    constant = of_array(turned, dtype)
    new = NewNode(
        "PRelu", (node.inputs[0], constant), {}
    )  # it has no attribute, as a LeakyRelu has
    return [Replace((new,), {0: passed})]


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
