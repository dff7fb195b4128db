"""Sums of squared errors of one output, kept apart by feed, so that feeds can be weighed later."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from bnfold.runtime.signature import Array


@dataclass
class Sums:
    """Squares and how many there are: of everything, and of each channel of each axis.

    Of a channel there are fourth powers too, which tell how many numbers its squares lie in.
    """

    squares: float = 0.0
    count: int = 0
    rows: int = 0
    by_axis: dict[int, tuple[Array, Array, Array]] = field(default_factory=dict)

    def add(self, other: Sums, weight: float = 1.0) -> None:
        """Takes in other sums; `weight` is for the squares, not for their number."""
        self.squares += weight * other.squares
        self.count += other.count
        self.rows += other.rows
        for axis, (squares, counts, fourths) in other.by_axis.items():
            nothing = (np.zeros(()), np.zeros((), dtype=np.int64), np.zeros(()))
            old = self.by_axis.get(axis, nothing)
            more = (weight * squares, counts, weight**2 * fourths)
            self.by_axis[axis] = old[0] + more[0], old[1] + more[1], old[2] + more[2]

    @property
    def rms(self) -> float:
        """The root mean square of everything."""
        return math.sqrt(self.squares / self.count) if self.count else 0.0

    def rms_along(self, axis: int) -> Array:
        """The root mean square of each channel; 0 where there is nothing."""
        if axis not in self.by_axis:
            return np.zeros(1)
        squares, counts, _ = self.by_axis[axis]
        return np.asarray(np.sqrt(squares / np.maximum(counts, 1)))

    def numbers_along(self, axis: int) -> Array:
        """In how many numbers each channel's squares lie: n / 3 for n normal ones, 1 for a peak."""
        squares, _, fourths = self.by_axis[axis]
        return np.asarray(squares**2 / np.maximum(fourths, np.finfo(np.float64).tiny))


class Tally:
    """The relative errors of one output on each feed, as sums."""

    def __init__(self) -> None:
        self.by_feed: dict[str, Sums] = {}

    def add(self, feed: str, error: Array, axes: Sequence[int]) -> None:
        """Takes in the relative error of one run; NaN stands where nothing is to be compared."""
        known = ~np.isnan(error)
        square = np.square(np.where(known, error, 0.0))
        sums = Sums(float(square.sum()), int(known.sum()), error.shape[0] if error.ndim else 1)
        for axis in axes:
            others = tuple(i for i in range(error.ndim) if i != axis)
            fourths = np.square(square).sum(axis=others)
            sums.by_axis[axis] = square.sum(axis=others), known.sum(axis=others), fourths
        self.by_feed.setdefault(feed, Sums()).add(sums)

    def plus(self, other: Tally) -> Tally:
        """The errors of both together."""
        both = Tally()
        for tally in (self, other):
            for feed, sums in tally.by_feed.items():
                both.by_feed.setdefault(feed, Sums()).add(sums)
        return both

    def total(self, weights: Mapping[str, float] | None = None) -> Sums:
        """The sums over all feeds, the squares of each times its weight; without those at 0."""
        found = Sums()
        for feed, sums in self.by_feed.items():
            weight = 1.0 if weights is None else weights.get(feed, 1.0)
            if weight:
                found.add(sums, weight)
        return found

    def evenness(self, axis: int, weights: Mapping[str, float]) -> Array:
        """How evenly each channel's squares lie over the feeds: 1 for alike, 1/F for one of F."""
        parts = [
            weights.get(feed, 1.0) * sums.by_axis[axis][0]
            for feed, sums in self.by_feed.items()
            if weights.get(feed, 1.0) and axis in sums.by_axis
        ]
        if not parts:
            return np.ones(1)
        squares = np.stack(parts)
        most = np.maximum(squares.max(axis=0), np.finfo(np.float64).tiny)
        shares = squares / most
        even = shares.sum(axis=0) ** 2 / (len(parts) * np.maximum((shares**2).sum(axis=0), 1.0))
        return np.where(squares.max(axis=0) > 0, even, 1.0)

    def worst_feed(self) -> str:
        """The feed with the largest error; empty where there is none."""
        return max(self.by_feed, key=lambda feed: self.by_feed[feed].rms, default="")
