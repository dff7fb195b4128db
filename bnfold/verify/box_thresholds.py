"""Boxes of which a NonMaxSuppression keeps others with one pair of thresholds than with another.

    IoU(i, j) = |i and j| / |i or j|    between two overlaps, where both have scores in one class
    scores                              between two least ones

is what a search makes larger; it is met where greedy selection by the two pairs parts.
Source: ONNX operators, NonMaxSuppression-11.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from bnfold.runtime.signature import Array
from bnfold.verify.aims import Aim
from bnfold.verify.sides import Side, Sides, numbers_of

_COUNT, _OVERLAP, _LEAST = 2, 3, 4
"""Operands of a NonMaxSuppression."""

_ALMOST = -1e-9
"""The margin where boxes are between thresholds, and others hide that."""

_MOST = 256  # boxes that are looked at, of each image: pairs are their square


@dataclass(frozen=True)
class _Thresholds:
    """How many boxes are kept of a class, how much they may overlap, and their least score."""

    count: float
    overlap: float
    least: float

    @classmethod
    def of(cls, node: ir.Node) -> _Thresholds:
        return cls(
            _number(node, _COUNT, np.inf), _number(node, _OVERLAP, 0.0), _number(node, _LEAST)
        )

    def kept(self, common: Array, scores: Array) -> list[int]:
        """The boxes of one class [B] that are kept; `common` [B, B] is what they overlap."""
        kept: list[int] = []
        for box in np.argsort(-scores, kind="stable"):
            if scores[box] <= self.least or len(kept) >= self.count:
                break
            if not (common[box, kept] > self.overlap).any():
                kept.append(int(box))
        return kept


def between_selections(
    ours: Sequence[ir.Node], theirs: Sequence[ir.Node]
) -> Iterator[tuple[str, Sides]]:
    """What our nodes select, which tells whether boxes lie between the two pairs of thresholds."""
    pairs = [[n for n in nodes if n.op_type == "NonMaxSuppression"] for nodes in (ours, theirs)]
    for one, other in zip(*pairs, strict=False):
        both = _Thresholds.of(one), _Thresholds.of(other)
        operands = [value.name for value in one.inputs[:2] if value is not None and value.name]
        name = one.outputs[0].name
        if both[0] == both[1] or len(operands) < 2 or not name:
            continue
        words = f"a box between the thresholds of NonMaxSuppression {one.name or name!r}"
        is_centred = one.attributes.get_int("center_point_box", 0) == 1
        yield name, {words: _side((operands[0], operands[1]), both, is_centred=is_centred)}


def _side(
    operands: tuple[str, str], both: tuple[_Thresholds, _Thresholds], *, is_centred: bool
) -> Side:
    def margin(boxes: Array, scores: Array) -> Array:
        common = overlaps(corners(boxes[:, :_MOST], is_centred=is_centred))
        images = zip(common, scores[..., :_MOST], strict=True)
        return np.array([max(_margin(image, each, both) for each in s) for image, s in images])

    return Side(
        lambda _, boxes, scores: bool((margin(boxes, scores) >= 0).any()),
        Aim(operands, lambda values: margin(*(values[name] for name in operands))),
        beside=operands,
    )


def _margin(common: Array, scores: Array, both: tuple[_Thresholds, _Thresholds]) -> float:
    """Not below 0 where the two keep different boxes of one class [B]."""
    one, other = both
    above = scores - min(one.least, other.least) if np.isfinite(one.least) else scores
    pairs = np.minimum(above[:, np.newaxis], above)
    overlapping = np.minimum(_within(common, one.overlap, other.overlap), pairs)
    best = np.sort(scores)[-int(min(one.count, scores.size)) :]
    margins = [overlapping, _within(best, one.least, other.least)]
    margin = max(float(np.max(each, initial=-np.inf)) for each in margins)
    if margin < _ALMOST or one.kept(common, scores) != other.kept(common, scores):
        return margin
    return _ALMOST


def _within(numbers: Array, one: float, other: float) -> Array:
    """From 0 up between the two; below everywhere, if they are one."""
    if one == other or not np.isfinite([one, other]).all():
        return np.full_like(numbers, -np.inf)
    return np.asarray(0.4 * abs(one - other) - np.abs(numbers - 0.5 * (one + other)))


def overlaps(boxes: Array) -> Array:
    """The parts of all pairs of boxes [N, B, 4] that they have in common; [N, B, B]."""
    low, high = boxes[..., :2], boxes[..., 2:]
    bottom = np.maximum(low[:, :, np.newaxis], low[:, np.newaxis])
    top = np.minimum(high[:, :, np.newaxis], high[:, np.newaxis])
    shared = np.prod(np.maximum(top - bottom, 0.0), axis=-1)
    area = np.prod(high - low, axis=-1)
    whole = area[:, :, np.newaxis] + area[:, np.newaxis] - shared
    return np.asarray(np.divide(shared, whole, out=np.zeros_like(shared), where=whole > 0))


def corners(boxes: Array, *, is_centred: bool) -> Array:
    """The boxes by two corners, the lower ones first; `is_centred`: centre and size are given."""
    first, second = boxes[..., :2].astype(np.float64), boxes[..., 2:].astype(np.float64)
    if is_centred:
        first, second = first - 0.5 * second, first + 0.5 * second
    return np.concatenate([np.minimum(first, second), np.maximum(first, second)], axis=-1)


def _number(node: ir.Node, operand: int, default: float = -np.inf) -> float:
    value = node.inputs[operand] if len(node.inputs) > operand else None
    given = None if value is None else numbers_of(value)
    return default if given is None or given.size != 1 else float(given.reshape(()))
