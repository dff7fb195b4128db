"""Where a bound makes scores alike, so that what picks the largest picks another one.

    ArgMax(Relu(h)) is ArgMax(h)      but where all h <= 0
    ArgMax(Min(h, c)) is ArgMax(h)    but where the two largest are >= c

One row in 2^C meets the first, with C classes: none that is drawn, if they are many.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import onnx_ir as ir

from bnfold.runtime.signature import Array
from bnfold.verify.aims import Aim
from bnfold.verify.sides import Side, Sides, bounds_of, numbers_of

_PICKING = {"ArgMax": 0, "ArgMin": 0, "TopK": -1}
"""What picks by size, and the axis along which it does if it names none."""

_IN_ORDER = frozenset(
    {"Cast", "Clip", "Exp", "HardSigmoid", "Identity", "LeakyRelu", "LogSoftmax", "Relu"}
    | {"Sigmoid", "Softmax", "Softplus", "Sqrt", "Tanh"}
)
"""They keep numbers in order: what picks behind them picks among what is before them."""

_ALMOST = -1e-9
"""The margin where all is as it should be, but the pick is the same by chance."""


def picks_of(nodes: Iterable[ir.Node]) -> Iterator[tuple[str, Sides]]:
    """The operands of what has bounds, with a pick behind it, and what they tell."""
    for node in nodes:
        low, high = _bounds_on_operand(node)
        x = node.inputs[0] if node.inputs else None
        if x is None or not x.name or (low is None and high is None):
            continue
        for picking in _picking_behind(node.outputs[0]):
            yield x.name, _sides(x.name, node, picking, low, high)


def _sides(
    name: str, node: ir.Node, picking: ir.Node, low: float | None, high: float | None
) -> Sides:
    axis = picking.attributes.get_int("axis", _PICKING[picking.op_type])
    picks_least = picking.op_type == "ArgMin" or not picking.attributes.get_int("largest", 1)
    sign = -1.0 if picks_least else 1.0
    if picks_least:
        low, high = (None if bound is None else -bound for bound in (high, low))
    what = f"{picking.op_type} {picking.name or picking.outputs[0].name!r}"
    bent = f"{node.op_type} {node.name or node.outputs[0].name!r}"
    sides = {}
    if low is not None:
        words = f"the case that {bent} makes all alike among which {what} picks"
        sides[words] = _side(name, lambda h: _margin_below(sign * h, axis, low))
    if high is not None:
        words = f"the case that {bent} makes two alike among which {what} picks"
        sides[words] = _side(name, lambda h: _margin_above(sign * h, axis, high))
    return sides


def _margin_below(h: Array, axis: int, low: float) -> Array:
    """Not below 0 where all are at most `low`, and the first is not the largest anyway."""
    margin = low - h.max(axis=axis)
    is_same = h.argmax(axis=axis) == 0
    return np.asarray(np.where(is_same, np.minimum(margin, _ALMOST), margin))


def _margin_above(h: Array, axis: int, high: float) -> Array:
    """Not below 0 where two are at least `high`, and the largest is not the first of these."""
    if h.shape[axis] < 2:
        return np.full(1, -np.inf)
    margin = np.take(np.sort(h, axis=axis), -2, axis=axis) - high
    is_same = h.argmax(axis=axis) == np.minimum(h, high).argmax(axis=axis)
    return np.asarray(np.where(is_same, np.minimum(margin, _ALMOST), margin))


def _side(name: str, margin: Callable[[Array], Array]) -> Side:
    return Side(
        lambda h: h.ndim > 0 and bool((margin(h) >= 0).any()),
        Aim((name,), lambda values: margin(values[name])),
    )


def _bounds_on_operand(node: ir.Node) -> tuple[float | None, float | None]:
    """What is at or below the first number is made alike, and what is at or above the second."""
    if node.op_type == "Relu":
        return 0.0, None
    if node.op_type == "ThresholdedRelu":
        return node.attributes.get_float("alpha", 1.0), None
    if node.op_type == "HardSigmoid":
        alpha, beta = (node.attributes.get_float(*each) for each in (("alpha", 0.2), ("beta", 0.5)))
        return (-beta / alpha, (1.0 - beta) / alpha) if alpha > 0 else (None, None)
    if node.op_type == "Clip":
        low, high = bounds_of(node)
        return _number(low), _number(high)
    if node.op_type in ("Max", "Min") and len(node.inputs) == 2 and node.inputs[1] is not None:
        bound = _number(numbers_of(node.inputs[1]))
        return (bound, None) if node.op_type == "Max" else (None, bound)
    return None, None


def _number(bound: Array | None) -> float | None:
    return float(bound.reshape(())) if bound is not None and bound.size == 1 else None


def _picking_behind(value: ir.Value) -> Iterator[ir.Node]:
    pending = [value]
    while pending:
        for reader in pending.pop().consumers():
            if reader.op_type in _PICKING:
                yield reader
            elif reader.op_type in _IN_ORDER:
                pending.append(reader.outputs[0])
