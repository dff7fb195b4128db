"""Numbers between two thresholds: x > 0.3 and x > 0.301 part there, where few numbers lie.

Comparisons and ThresholdedRelus of one model are paired with those of the other that are not alike,
in their order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import onnx_ir as ir

from bnfold.fold.facts.operator_facts import COMPARES
from bnfold.runtime.signature import Array
from bnfold.verify.aims import Aim
from bnfold.verify.sides import Side, Sides, numbers_of

WITH_THRESHOLDS = COMPARES | {"ThresholdedRelu"}


def between_thresholds(
    ours: Sequence[ir.Node], theirs: Sequence[ir.Node]
) -> Iterator[tuple[str, Sides]]:
    """The tensors of our nodes that tell whether a number lies between the two thresholds."""
    for kind in sorted(WITH_THRESHOLDS):
        pairs = [[_read(n) for n in nodes if n.op_type == kind] for nodes in (ours, theirs)]
        for one, other in zip(*pairs, strict=False):
            if one is None or other is None or one[1] == other[1]:
                continue
            low, high = sorted((one[1], other[1]))
            words = f"what lies between {low:g} and {high:g} in {kind} of {one[0]!r}"
            yield one[0], {words: _between(one[0], low, high)}


def _between(name: str, low: float, high: float) -> Side:
    return Side(
        lambda x: bool((_margin(low, high, x) >= 0).any()),
        Aim((name,), lambda values: _margin(low, high, values[name])),
    )


def _margin(low: float, high: float, x: Array) -> Array:
    """How far a number is within the two, both of which are not."""
    return np.asarray(0.4 * (high - low) - np.abs(x.astype(np.float64) - 0.5 * (low + high)))


def _read(node: ir.Node) -> tuple[str, float] | None:
    """The name of what is compared, and with which number."""
    if node.op_type == "ThresholdedRelu":
        return _named(node.inputs[0], np.array(node.attributes.get_float("alpha", 1.0)))
    if len(node.inputs) != 2:
        return None
    numbers = [None if value is None else numbers_of(value) for value in node.inputs]
    return _named(node.inputs[0], numbers[1]) or _named(node.inputs[1], numbers[0])


def _named(value: ir.Value | None, number: Array | None) -> tuple[str, float] | None:
    if value is None or not value.name or number is None or number.size != 1:
        return None
    return value.name, float(number.reshape(()))
