"""Which rows of its tables the inputs of a model have drawn, and which are left to be."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bnfold.runtime.signature import Array
from bnfold.verify.records import Share


class DrawnIds:
    """The ids that were fed so far.

    Args:
        tables: for each input of integers that indexes one, how many rows it has.
        by_numbers: the same of real numbers, of which an id is made; what rows that reads is told
            elsewhere, see `rows`.
    """

    def __init__(self, tables: Mapping[str, int], by_numbers: Mapping[str, int]) -> None:
        sizes = {**tables, **by_numbers}
        self._drawn = {name: np.zeros(rows, np.bool_) for name, rows in sizes.items()}
        self._told = frozenset(tables)

    def take(self, arrays: Mapping[str, Array]) -> None:
        """What a set feeds; an id outside of its table draws no row."""
        for name, drawn in self._drawn.items():
            ids = arrays[name]
            drawn[ids[(ids >= 0) & (ids < drawn.size)].astype(np.int64)] = True

    def shares(self) -> tuple[Share, ...]:
        """For each of the inputs of integers, how many of the rows it drew."""
        drawn = ((name, each) for name, each in self._drawn.items() if name in self._told)
        return tuple(Share(name, int(each.sum()), each.size) for name, each in drawn)

    def left(self) -> dict[str, Array]:
        """The ids that no set has, by input; int64 [n], n > 0."""
        left = {name: np.flatnonzero(~drawn) for name, drawn in self._drawn.items()}
        return {name: ids for name, ids in left.items() if ids.size}
