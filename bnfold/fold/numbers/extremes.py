"""The smallest absolute value but 0 and the largest, of each row of a tensor."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from bnfold.fold.numbers.affine import Array

Extremes = tuple[Array, Array]
"""Of each row: the smallest, infinite where all are 0, and the largest, NaN where any is."""


def extremes_of(sizes: npt.NDArray[Any]) -> Extremes:
    """Those of absolute values [rows, entries]."""
    lows, highs = sizes.min(axis=1, initial=math.inf), sizes.max(axis=1, initial=0)
    if not lows.all():
        lows = sizes.min(axis=1, initial=math.inf, where=sizes > 0)
    return lows.astype(np.float64), highs.astype(np.float64)


def scaled_extremes(extremes: Extremes, factors: Array) -> Extremes:
    """Those of the rows times a factor each: rounding keeps order, so that nothing is read."""
    (lows, highs), sizes = extremes, np.abs(factors)
    with np.errstate(invalid="ignore"):  # inf * 0 is NaN, as it is entry by entry
        return np.where(sizes > 0, lows * np.where(sizes > 0, sizes, 1), math.inf), highs * sizes


def of_all(extremes: Extremes) -> tuple[float, float]:
    """Those of all rows together."""
    lows, highs = extremes
    return float(np.fmin.reduce(lows, initial=math.inf)), float(highs.max(initial=0.0))
