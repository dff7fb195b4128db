"""A Relu or Clip beside a batch norm becomes a rectifier with bounds per channel.

Letters: f(z) = min(max(z, l), h), a Relu with l = 0 and h = infinity; s, t the affine's channels.

    behind it:  s f(z) + t = min(max(s z + t, L), H)           L = s l + t, H = s h + t for s > 0
    before it:  f(s x' + t) = s min(max(x', L), H) + t         L = (l - t) / s, H = (h - t) / s

For s < 0 the bounds change places; for s = 0 the result is a constant. So one Max, or a Max and a
Min where signs are mixed, stand in the rectifier's place, and the whole affine moves on. The price:
runtimes fuse Conv + Relu, and not Conv + Max.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx_ir as ir

from bnfold.fold.facts.graph import Facts
from bnfold.fold.numbers.affine import Affine, Array
from bnfold.fold.numbers.exact import of_array
from bnfold.fold.plan import Answer, NewNode, Operand, Price, Refusal, Replace

PRICE = "rectifier"
_BROADCASTS = 8  # the opset since which Max and Min broadcast

Bounds = tuple[float, float]


def bounded_after(
    node: ir.Node, demand: Affine, bounds: Bounds | None, refusal: Refusal, facts: Facts
) -> Answer:
    """The step for an affine behind the rectifier: all of it goes back to what makes z."""
    if bounds is None or facts.opset() < _BROADCASTS:
        return refusal
    scale, shift = np.broadcast_arrays(demand.scale, demand.shift)
    first, second = (_times(scale, bound) + shift for bound in bounds)
    nodes = _bounded(node, np.minimum(first, second), np.maximum(first, second), facts)
    return [_step({0: demand}, nodes, refusal)] if nodes else refusal


def bounded_before(
    node: ir.Node, affine: Affine, bounds: Bounds, refusal: Refusal, facts: Facts
) -> Answer:
    """The step for an affine before the rectifier: all of it goes on to its readers."""
    if facts.opset() < _BROADCASTS:
        return refusal
    scale, shift = np.broadcast_arrays(affine.scale, affine.shift)
    zero = scale == 0
    divisor = np.where(zero, 1.0, scale)
    first, second = ((bound - shift) / divisor for bound in bounds)
    low = np.where(zero, -np.inf, np.minimum(first, second))
    high = np.where(zero, np.inf, np.maximum(first, second))
    if not np.all(np.isfinite(low) | np.isfinite(high) | zero):
        return refusal
    nodes = _bounded(node, low, high, facts)
    passed = Affine(scale, np.where(zero, np.clip(shift, *bounds), shift))
    return [_step({0: passed}, nodes, refusal)] if nodes else refusal


def _step(passes: dict[int, Affine], nodes: tuple[NewNode, ...], refusal: Refusal) -> Replace:
    otherwise = replace(
        refusal, advice="--allow rectifier gives it bounds per channel: one Max in its place"
    )
    return Replace(nodes, passes, price=Price(PRICE, otherwise))


def _times(scale: Array, bound: float) -> Array:
    """`s * bound`, where 0 * infinity is 0: a channel of scale 0 is bounded by its shift."""
    with np.errstate(invalid="ignore"):
        return np.where(scale == 0, 0.0, scale * bound)


def _bounded(node: ir.Node, low: Array, high: Array, facts: Facts) -> tuple[NewNode, ...]:
    """Max by the lower bounds and Min by the upper ones, each only where a bound is finite."""
    x = node.inputs[0]
    dtype = None if x is None else facts.dtype(x)
    if dtype is None:
        return ()
    stages = [
        (op, bound) for op, bound in (("Max", low), ("Min", high)) if np.any(np.isfinite(bound))
    ]
    nodes: list[NewNode] = []
    operand: Operand = x
    for i, (op, bound) in enumerate(stages):
        output = None if i == len(stages) - 1 else "above"
        constant = replace(of_array(np.array(bound), dtype), is_bound=True)
        nodes.append(NewNode(op, (operand, constant), {}, output=output))
        operand = "above"
    return tuple(nodes)
