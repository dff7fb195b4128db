"""What rounding leaves open in an output of integers, booleans or strings.

An ArgMax, a comparison or a Floor decides by numbers. Where these lie within rounding of the other
side, a neighbour of the original decides otherwise: copies whose weights and activations are moved
by `STRENGTH` roundings turn, among `COPIES`, nearly every decision that one rounding can turn. What
no copy turns is not open: an element of a table, or a mask far from its threshold, may not differ.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bnfold.runtime.signature import Array

STRENGTH = 8
COPIES = 24


class OpenChoice:
    """The values that an exact output takes in the original and its neighbours, a feed each."""

    def __init__(self, original: Sequence[Array]) -> None:
        """Starts with the original's own."""
        self._original = original
        self._low: dict[int, Array] = {}
        self._high: dict[int, Array] = {}
        self._texts: dict[int, list[Array]] = {}

    def add(self, index: int, run: Array) -> None:
        """Takes in what a neighbour gives on the feed of this index."""
        first = self._original[index]
        if first.dtype.kind not in "biu":
            self._texts.setdefault(index, [first]).append(run)
            return
        self._low[index] = np.minimum(self._low.get(index, first), run)
        self._high[index] = np.maximum(self._high.get(index, first), run)

    def unexplained(self, index: int, original: Array, other: Array) -> int:
        """How many elements differ from the original's, and lie beyond what its neighbours give."""
        differs = np.asarray(original != other)
        if not differs.any():
            return 0
        if index in self._texts:
            seen = np.any([run == other for run in self._texts[index]], axis=0)
        elif index in self._low:
            seen = (self._low[index] <= other) & (other <= self._high[index])
        else:
            seen = self._original[index] == other
        return int((differs & ~seen).sum())
