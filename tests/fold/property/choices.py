"""Where the decisions of a random graph come from: hypothesis, which shrinks, or a seed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

import hypothesis.strategies as st
import numpy as np

T = TypeVar("T")


class Source(Protocol):
    """One number at a time."""

    def index(self, count: int) -> int:
        """A number in [0, count); hypothesis shrinks towards 0."""


class Seeded:
    """Decisions from a seed."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)

    def index(self, count: int) -> int:
        return int(self._random.integers(count))


class Drawn:
    """Decisions that hypothesis draws, and shrinks."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw

    def index(self, count: int) -> int:
        return self._draw(st.integers(0, count - 1))


class Choices:
    """Decisions in the words of a generator; what is named first is what shrinking prefers."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def of(self, options: Sequence[T]) -> T:
        return options[self._source.index(len(options))]

    def chance(self, percent: int) -> bool:
        """True in `percent` of cases; shrinks to False."""
        return self._source.index(100) >= 100 - percent

    def between(self, low: int, high: int) -> int:
        """Both ends included."""
        return low + self._source.index(high - low + 1)

    def weighted(self, options: Sequence[tuple[int, T]]) -> T:
        place = self._source.index(sum(weight for weight, _ in options))
        for weight, option in options:
            place -= weight
            if place < 0:
                return option
        raise AssertionError("the weights do not add up")
