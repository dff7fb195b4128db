"""An affine that meets another one: the two become one.

Letters: the node computes B(x) = c x + d with constants; A(x) = s x + t is the affine that arrives.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx_ir as ir

from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import attribute_of, is_op
from bnfold.fold.numbers.affine import Affine, Array
from bnfold.fold.numbers.exact import Exact, of_array
from bnfold.fold.plan import Answer, Move, NewNode, Operand, PassBy, Refusal, Replace, Rule
from bnfold.fold.sources.source import AFFINES, Source, source_of

_NOT_CONSTANT = Refusal("dynamic-operand", "its operands are all computed at run time")

_BROADCASTS = 7  # the opset since which constants need not name the axis they lie along


def composed_after(node: ir.Node, demands: Mapping[int, Affine], facts: Facts) -> Answer:
    """A(B(x)): the node goes and its producer is asked for A after B; or the node takes A over.

    s (c x + d) + t = (s c) x + (s d + t)

    An Add keeps only what is its own, d' = s d + t, and asks its producer for the scale; a Mul
    keeps c' = s c where t = 0.
    """
    source = source_of(node, facts)
    if not isinstance(source, Source):
        return source if isinstance(source, Refusal) else ()
    demand, own = demands[0], source.affine
    whole = demand.after(own)
    steps: list[Move] = [PassBy(source.index, {source.index: whole})]
    if facts.opset() < _BROADCASTS and not source.is_batch_norm:
        return steps
    if is_op(node, "Add", "Sub"):
        addition = _addition(node, source, whole.shift, facts)
        steps.append(Replace((addition,), {source.index: demand.only_scale()}))
    elif is_op(node, "Mul", "Div") and not demand.has_shift:
        multiplication = _multiplication(node, source, whole.scale, facts)
        steps.append(Replace((multiplication,)))
    elif source.is_batch_norm:
        steps.extend(batch_norm(node, whole, facts))
    return steps


def composed_before(node: ir.Node, affines: Mapping[int, Affine], facts: Facts) -> Answer:
    """B(A(x')): the node goes and its readers take B after A; or the node takes A over.

    c (s x' + t) + d = (c s) x' + (c t + d)

    An Add keeps (t + d) / s and lets the scale pass, where no s is 0; a Mul keeps c' = c s and lets
    the shift c t pass.
    """
    source = source_of(node, facts)
    if not isinstance(source, Source):
        return source if isinstance(source, Refusal) else ()
    affine, own = affines[source.index], source.affine
    whole = own.after(affine)
    steps: list[Move] = [PassBy(source.index, {0: whole})]
    if facts.opset() < _BROADCASTS and not source.is_batch_norm:
        return steps
    if is_op(node, "Add", "Sub") and np.all(affine.scale != 0):
        addition = _addition(node, source, whole.shift / affine.scale, facts)
        steps.append(Replace((addition,), {0: affine.only_scale()}))
    elif is_op(node, "Mul", "Div"):
        passed = Affine(np.ones_like(whole.scale), whole.shift)
        multiplication = _multiplication(node, source, whole.scale, facts)
        steps.append(Replace((multiplication,), {0: passed}))
    elif source.is_batch_norm:
        steps.extend(batch_norm(node, whole, facts, affine))
    return steps


def _addition(node: ir.Node, source: Source, shift: Array, facts: Facts) -> NewNode:
    """`x + d'`; `d' - x` where the node was `d - x`."""
    x = node.inputs[source.index]
    if is_op(node, "Sub") and source.index == 1:
        return NewNode("Sub", (_constant(node, 1, shift, facts), x))
    return NewNode("Add", (x, _constant(node, source.index, shift, facts)))


def _multiplication(node: ir.Node, source: Source, scale: Array, facts: Facts) -> NewNode:
    constant = _constant(node, source.index, scale, facts)
    return NewNode("Mul", (node.inputs[source.index], constant))


def _constant(node: ir.Node, index: int, values: Array, facts: Facts) -> Exact:
    """The operand beside `x`, with other values and its own dtype; the operands share one dtype."""
    constant, x = node.inputs[1 - index], node.inputs[index]
    assert constant is not None and x is not None
    dtype = facts.dtype(constant) or facts.dtype(x)
    assert dtype is not None, "source_of accepts only operands of a known dtype"
    return of_array(values, dtype)


def batch_norm(
    node: ir.Node, whole: Affine, facts: Facts, affine: Affine | None = None
) -> list[Replace]:
    """The batch norm with gamma and beta such that it is `whole`, S x + T.

    gamma' = S sqrt(var + eps), beta' = T + S mean. Where it reads x' with x = s x' + t, its mean
    and variance are those of x', (mean - t) / s and var / s^2: they stay what they say they are.
    """
    stored = [facts.exact(value) for value in node.inputs[1:5]]
    if any(exact is None or len(exact.shape) != 1 for exact in stored):
        return []  # what is computed at run time, or has a number for each position
    mean, variance = (facts.constant(value) for value in node.inputs[3:5])
    if mean is None or variance is None:
        return []
    count = variance.size
    channels = whole.channels(1, count)
    mean, variance = mean.reshape(-1), variance.reshape(-1)
    operands: list[Operand] = list(node.inputs[3:5])
    moved = None if affine is None else affine.channels(1, count)
    if channels is None or (affine is not None and moved is None):
        return []
    if moved is not None and np.all(moved[0] != 0):
        mean, variance = (mean - moved[1]) / moved[0], variance / moved[0] ** 2
        operands = [
            of_array(a, e.dtype) for a, e in zip((mean, variance), stored[2:], strict=True) if e
        ]
    gamma = channels[0] * np.sqrt(variance + float(attribute_of(node, "epsilon", np.float32(1e-5))))
    fresh = [
        of_array(np.array(a), e.dtype)
        for a, e in zip((gamma, channels[1] + channels[0] * mean), stored[:2], strict=True)
        if e
    ]
    return [Replace((NewNode("BatchNormalization", (node.inputs[0], *fresh, *operands)),))]


RULES = (
    Rule(
        "compose",
        AFFINES,
        backward=composed_after,
        forward=composed_before,
    ),
)
