"""Means over seeds with the interval that a bootstrap over seeds gives them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 10_000
CONFIDENCE = 0.95
FEW = 5  # seeds, below which nothing is concluded from an interval


@dataclass(frozen=True)
class Estimate:
    """A mean of so many seeds with its percentile interval, `low <= mean <= high`."""

    mean: float
    low: float
    high: float
    seeds: int

    def said(self, digits: int = 1) -> str:
        """`6.2 [5.8, 6.7]`."""
        low, high = (f"{value:.{digits}f}" for value in (self.low, self.high))
        return f"{self.mean:.{digits}f} [{low}, {high}]"

    @property
    def sign(self) -> int:
        """1 or -1 where the whole interval is above or below 0; 0 where it holds 0.

        It is 0 for few seeds too: the bootstrap of two equal values is a point, and tells nothing.
        """
        return 0 if self.seeds < FEW else int(self.low > 0) - int(self.high < 0)


def estimate(values: Sequence[float]) -> Estimate:
    """The mean of one value for each seed; the same values give the same interval."""
    sample = np.asarray(values, np.float64)
    rows = np.random.RandomState(0).randint(len(sample), size=(RESAMPLES, len(sample)))
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(sample[rows].mean(axis=1), [tail, 100 - tail])
    mean = float(sample.mean())
    return Estimate(mean, min(float(low), mean), max(float(high), mean), len(sample))


def difference(first: Sequence[float], second: Sequence[float]) -> Estimate:
    """Of `second` from `first`, seed by seed: the same seed orders the same examples alike."""
    return estimate([b - a for a, b in zip(first, second, strict=True)])
