"""Which rows of its tables the inputs of a model have drawn, and which are left to be."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bnfold.runtime.signature import Array
from bnfold.verify.records import Share


class DrawnIds:
    """The ids that were fed so far.

    Args:
        tables: for each input that indexes one, how many rows it has.
    """

    def __init__(self, tables: Mapping[str, int]) -> None:
        self._drawn = {name: np.zeros(rows, np.bool_) for name, rows in tables.items()}

    def take(self, arrays: Mapping[str, Array]) -> None:
        """What a set feeds; an id outside of its table draws no row."""
        for name, drawn in self._drawn.items():
            ids = arrays[name]
            drawn[ids[(ids >= 0) & (ids < drawn.size)]] = True

    def shares(self) -> tuple[Share, ...]:
        """For each of the inputs, how many of the rows it drew."""
        return tuple(
            Share(name, int(drawn.sum()), drawn.size) for name, drawn in self._drawn.items()
        )

    def left(self) -> dict[str, Array]:
        """The ids that no set has, by input; int64 [n], n > 0."""
        left = {name: np.flatnonzero(~drawn) for name, drawn in self._drawn.items()}
        return {name: ids for name, ids in left.items() if ids.size}
