"""What the original and its neighbours give at each place: a number, NaN, or which infinity.

An infinity of the other sign, or a number for one, is no rounding: 1 / 0 is +inf and 1 / -0 is
-inf, and nothing lies between. But where rounding turns a denominator from 1e-9 to 0 or to -1e-9,
or a number beyond the largest one, neighbours of the original give one and the other too. What one
of them gives at a place is explained there, as a decision is that one of them takes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bnfold.runtime.signature import Array, is_exact_dtype

_NUMBER, _NAN, _ABOVE, _BELOW = 1, 2, 4, 8


class NonFinite:
    """The kinds that a float output has in the original and its neighbours, a feed each."""

    def __init__(
        self, references: Sequence[Array], original: Sequence[Array], largest: float, part: float
    ) -> None:
        """Starts with the original's own.

        `largest` is the largest number of the type of the outputs; where the reference is as large
        but for a `part` of it, rounding decides whether it is a number.
        """
        self._seen = [
            _kinds(run) | _open_kinds(exact, largest, part)
            for run, exact in zip(original, references, strict=True)
        ]

    def add(self, index: int, run: Array) -> None:
        """Takes in what a neighbour gives on the feed of this index."""
        self._seen[index] |= _kinds(run)

    def unexplained(self, index: int, original: Array, other: Array) -> int:
        """At how many places the other is of a kind that neither original nor neighbour is of.

        `original` is its run at the level of the other's.
        """
        return int((_kinds(other) & (self._seen[index] | _kinds(original)) == 0).sum())


def gives_infinities(run: Sequence[Array]) -> bool:
    """Whether there are infinities in the float outputs of a run, and no NaN."""
    kinds = [_kinds(array) for array in run if not is_exact_dtype(array.dtype)]
    return any(bool((each & (_ABOVE | _BELOW)).any()) for each in kinds) and not any(
        bool((each == _NAN).any()) for each in kinds
    )


def is_as_meant(run: Sequence[Array], reference: Sequence[Array]) -> bool:
    """Whether the infinities of a run are those of float64, and none an overflow."""
    return all(
        a.shape == b.shape and bool(same_non_finite(a, b).all())
        for a, b in zip(run, reference, strict=True)
        if not is_exact_dtype(a.dtype)
    )


def same_non_finite(a: Array, b: Array) -> Array:
    """Where two runs agree on being a number, NaN, or an infinity of one sign."""
    return np.asarray(_kinds(a) == _kinds(b))


def _kinds(run: Array) -> Array:
    wide = run.astype(np.float64)
    kinds = np.full(wide.shape, _NUMBER, np.uint8)
    if not np.isfinite(wide).all():
        kinds[np.isnan(wide)] = _NAN
        kinds[wide == np.inf] = _ABOVE
        kinds[wide == -np.inf] = _BELOW
    return kinds


def _open_kinds(exact: Array, largest: float, part: float) -> Array:
    near = np.abs(np.abs(exact) / largest - 1.0) <= part
    kinds = np.where(near, _NUMBER | np.where(exact > 0, _ABOVE, _BELOW), 0)
    return np.asarray(kinds, np.uint8)
