"""Numbers between two thresholds: x > 0.3 and x > 0.301 part there, where few numbers lie.

    real numbers     between the two, and next to neither
    integers         also what is one of the two: 11 alone parts x > 10 and x > 11

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
                yield _apart(kind, one, other[1])


def between_numbers(
    nodes: Sequence[ir.Node], numbers: Mapping[str, Sequence[float]]
) -> Iterator[tuple[str, Sides]]:
    """The same where the other model has no nodes: `numbers` are its thresholds by operator."""
    for kind, theirs in numbers.items():
        read = [each for n in nodes if n.op_type == kind and (each := _read(n)) is not None]
        left = list(map(np.float32, theirs))
        alone = []
        for each in read:
            if np.float32(each[1]) in left:
                left.remove(np.float32(each[1]))
            else:
                alone.append(each)
        for each, other in zip(alone, left, strict=False):
            yield _apart(kind, each, float(other))


_Ends = tuple[bool, bool]
"""Whether the lower one of two thresholds parts them, if it is met itself, and the higher one."""

_LOW, _HIGH = (True, False), (False, True)

_ENDS: Mapping[str, tuple[_Ends, _Ends]] = {
    "Equal": ((True, True), (True, True)),
    "Greater": (_HIGH, _LOW),
    "GreaterOrEqual": (_LOW, _HIGH),
    "Less": (_LOW, _HIGH),
    "LessOrEqual": (_HIGH, _LOW),
    "ThresholdedRelu": (_HIGH, _HIGH),
}
"""Of operators, where the second operand is the threshold, and where the first one is."""

_Read = tuple[str, float, _Ends]


def _apart(kind: str, read: _Read, other: float) -> tuple[str, Sides]:
    name, number, ends = read
    low, high = sorted((number, other))
    words = f"what lies between {low:g} and {high:g} in {kind} of {name!r}"
    return name, {words: _between(name, low, high, ends)}


def _between(name: str, low: float, high: float, ends: _Ends) -> Side:
    return Side(
        lambda x: bool((_margin(low, high, ends, x) >= 0).any()),
        Aim((name,), lambda values: _margin(low, high, ends, values[name])),
    )


def _margin(low: float, high: float, ends: _Ends, x: Array) -> Array:
    """How far a number is within the two; of integers, where it parts them."""
    if x.dtype.kind not in "iu":
        return np.asarray(0.4 * (high - low) - np.abs(x.astype(np.float64) - 0.5 * (low + high)))
    least, most = (low if ends[0] else low + 1.0), (high if ends[1] else high - 1.0)
    if least <= most:
        return np.asarray(0.5 * (most - least) - np.abs(x - 0.5 * (least + most)))
    return np.full(x.shape, -np.inf)


def _read(node: ir.Node) -> _Read | None:
    """The name of what is compared, with which number, and what of two such numbers parts them."""
    if node.op_type == "ThresholdedRelu":
        return _named(node, 0, np.array(node.attributes.get_float("alpha", 1.0)))
    if len(node.inputs) != 2:
        return None
    numbers = [None if value is None else numbers_of(value) for value in node.inputs]
    return _named(node, 0, numbers[1]) or _named(node, 1, numbers[0])


def _named(node: ir.Node, operand: int, number: Array | None) -> _Read | None:
    value = node.inputs[operand]
    if value is None or not value.name or number is None or number.size != 1:
        return None
    return value.name, float(number.reshape(())), _ENDS[node.op_type][operand]
