"""A search for inputs that meet a side which no drawn ones met: a climb towards it, see `aims`.

From a set of normal numbers as the mean m, again and again:

    x_i = m + s z_i     z_i normal, for i in 1 .. ROWS
    m   = the mean of the quarter of the x_i with the largest margins, weighted by their ranks
    s   larger if that was a step forward, else smaller

This is an evolution strategy with one step size; what it finds is not sure to be found, and what it
does not find is named in the verdict. Integers stay as they were drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from bnfold.runtime.signature import Array, is_exact_dtype
from bnfold.verify.aims import Aim

AIMS = 4
"""Sides to look for, at most."""

_ROWS, _LEAST = 64, 12
"""Sets that are tried at once, where there is a batch, and at least, one after the other."""

_STEPS = 32
_LEVEL = 8  # steps in which all sets are equally far from the side: there is nothing to climb by

_CLOSE = -1e-6  # but for a margin that says: all but met, see `picks`

_ENOUGH = 8
"""Sets that meet the side: fewer may give what they should by chance."""

_MOST = 1 << 21
"""Numbers to feed in all searches, at most."""

Arrays = Mapping[str, Array]
Compute = Callable[[Arrays, Aim], Array]
"""The margin of an aim, computed from what is fed."""


def afforded(wanted: int, start: Arrays) -> tuple[int, int]:
    """How many of the searches that are wanted there may be, and of how many sets at once."""
    sets = _MOST // (_STEPS * max(1, sum(array.size for array in start.values())))
    searches = min(wanted, sets // _LEAST)
    return searches, min(_ROWS, sets // max(1, searches))


@dataclass(frozen=True)
class Climb:
    """A search for one side.

    Attributes:
        compute: what computes the margin of the aim.
        aim: what is to come to 0 or above.
        start: one set of inputs, which says what is not moved too.
        is_batched: whether the first axis of each input is one batch, of 1 here.
        seed: of the numbers.
        rows: how many sets are tried at once in a batch.
    """

    compute: Compute
    aim: Aim
    start: Arrays
    is_batched: bool
    seed: tuple[int, ...]
    rows: int = _ROWS

    def found(self) -> Arrays | None:
        """Inputs that meet the side, as many as were found in a batch; None without any."""
        if self.is_batched:
            # an axis of two may be another one: only a batch is as long as any that is fed
            stacks = ({n: np.stack([x] * k) for n, x in self.start.items()} for k in (2, 3))
            if all(self._margins_at_once(stack) is not None for stack in stacks):
                return self._climbed(self.rows, self._margins_at_once)
        return self._climbed(_LEAST, self._margins_by_one)

    def _climbed(self, rows: int, margins_of: Callable[[Arrays], Array | None]) -> Arrays | None:
        moving = {n: x for n, x in self.start.items() if not is_exact_dtype(x.dtype)}
        if not moving:
            return None
        rng = np.random.default_rng(self.seed)
        mean = {name: array.astype(np.float64) for name, array in moving.items()}
        step, last, best, level = 1.0, -np.inf, None, 0
        for _ in range(_STEPS):
            tried = self._around(mean, step, rows, rng)
            margins = margins_of(tried)
            if margins is None:
                return None
            level = level + 1 if np.ptp(margins) == 0 else 0
            if level == _LEVEL and margins[0] < _CLOSE:
                return None
            order = np.argsort(-margins, kind="stable")
            count = int((margins >= 0).sum())
            if best is None or count > len(best[0]):
                best = order[:count], tried
            if count >= min(_ENOUGH, rows):
                break
            chosen = order[: rows // 4]
            mean = {name: _middle(tried[name][chosen]) for name in moving}
            reached = float(np.median(margins[chosen]))
            step, last = step * (1.25 if reached > last else 0.7), reached
        return None if best is None or not len(best[0]) else self._chosen(best[1], best[0])

    def _around(
        self, mean: Arrays, step: float, rows: int, rng: np.random.Generator
    ) -> dict[str, Array]:
        tried = {}
        for name, array in self.start.items():
            if name in mean:
                drawn = mean[name] + step * rng.standard_normal((rows, *array.shape))
                tried[name] = drawn.astype(array.dtype)
            else:
                tried[name] = np.repeat(array[np.newaxis], rows, axis=0)
        return tried

    def _chosen(self, tried: Arrays, rows: Array) -> Arrays:
        if self.is_batched:
            return {name: array[rows, 0] for name, array in tried.items()}
        return {name: array[rows[0]] for name, array in tried.items()}

    def _margins_at_once(self, tried: Arrays) -> Array | None:
        """One for each set; None where the tensors have no batch."""
        rows = len(next(iter(tried.values())))
        fed = {name: array[:, 0] for name, array in tried.items()}
        margin = self.compute(fed, self.aim)
        if not margin.ndim or len(margin) != rows:
            return None
        return _largest(margin.reshape(rows, -1), axis=1)

    def _margins_by_one(self, tried: Arrays) -> Array:
        rows = range(len(next(iter(tried.values()))))
        fed = ({name: array[i] for name, array in tried.items()} for i in rows)
        margins = [self.compute(each, self.aim) for each in fed]
        return np.array([float(_largest(each.reshape(1, -1), axis=1)[0]) for each in margins])


def _largest(margins: Array, axis: int) -> Array:
    known = np.where(np.isnan(margins), -np.inf, margins)
    return np.asarray(np.max(known, axis=axis, initial=-np.inf))


def _middle(chosen: Array) -> Array:
    """Their mean; what comes first has the most weight."""
    count = len(chosen)
    weights = np.log(count + 1.0) - np.log(np.arange(1.0, count + 1.0))
    return np.asarray(np.average(chosen.astype(np.float64), axis=0, weights=weights))
