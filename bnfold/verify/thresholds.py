"""Numbers between two thresholds: x > 0.3 and x > 0.301 part there, where few numbers lie.

Comparisons and ThresholdedRelus of one model are paired with those of the other that are not alike,
in their order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

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
            if one is not None and other is not None and one[1] != other[1]:
                yield _apart(kind, one[0], one[1], other[1])


def between_numbers(
    nodes: Sequence[ir.Node], numbers: Mapping[str, Sequence[float]]
) -> Iterator[tuple[str, Sides]]:
    """The same where the other model has no nodes: `numbers` are its thresholds by operator."""
    for kind, theirs in numbers.items():
        read = [each for n in nodes if n.op_type == kind and (each := _read(n)) is not None]
        left = list(map(np.float32, theirs))
        alone = []
        for name, number in read:
            if np.float32(number) in left:
                left.remove(np.float32(number))
            else:
                alone.append((name, number))
        for (name, number), other in zip(alone, left, strict=False):
            yield _apart(kind, name, number, float(other))


def _apart(kind: str, name: str, number: float, other: float) -> tuple[str, Sides]:
    low, high = sorted((number, other))
    words = f"what lies between {low:g} and {high:g} in {kind} of {name!r}"
    return name, {words: _between(name, low, high)}


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
