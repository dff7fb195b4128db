"""Units: channels of what shows in a result only where the numbers say so, see `showing`.

What feeds a unit shows where it is awake, and only there. So each is to be met, and of rows, which
have one number of it each, some are to meet it: one may have a 0 where a weight is wrong.
"""

from __future__ import annotations

import numpy as np

from bnfold.runtime.signature import Array
from bnfold.verify.sides import channel_axis

_ROWS = 8
"""Rows that are to meet a unit: with one in ten, twenty usual rows meet it twice."""


class Units:
    """Of one tensor, how often each unit was met, up to as often as is enough."""

    def __init__(self) -> None:
        self._met: Array | None = None
        self._enough = 1

    def observe(self, awake: Array) -> None:
        """A tensor has been computed, and shows there."""
        if awake.ndim < 2 or not awake.size:
            return
        channels = channel_axis(awake)
        others = tuple(i for i in range(awake.ndim) if i != channels)
        self._enough = _ROWS if awake.ndim == 2 else 1
        met = awake.sum(axis=others)
        if self._met is None or self._met.shape == met.shape:
            before = 0 if self._met is None else self._met
            self._met = np.minimum(before + met, self._enough)

    @property
    def count(self) -> int:
        """Of meetings, as far as they matter."""
        return 0 if self._met is None else int(self._met.sum())

    @property
    def is_complete(self) -> bool:
        """Whether each unit was met as often as is enough."""
        return self._met is None or bool((self._met >= self._enough).all())

    @property
    def awake(self) -> tuple[int, int]:
        """How many units were met, of how many."""
        return (0, 0) if self._met is None else (int((self._met > 0).sum()), self._met.size)
