"""One call of one operator, drawn at random, and the dice."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Array = np.ndarray


@dataclass(frozen=True)
class Case:
    """What an operator is called with."""

    inputs: Sequence[Array | None]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    opset: int = 18
    n_outputs: int = 1
    domain: str = ""
    tolerance: float = 3e-6


class Dice(np.random.Generator):
    """Random arrays and choices; every method is one line of a case's recipe."""

    def __init__(self, seed: Sequence[int]) -> None:
        super().__init__(np.random.PCG64(list(seed)))

    def pick(self, *options: Any) -> Any:
        return options[int(self.integers(len(options)))]

    def whole(self, low: int, high: int) -> int:
        """A whole number, both bounds included."""
        return int(self.integers(low, high + 1))

    def maybe(self, probability: float = 0.5) -> bool:
        return bool(self.random() < probability)

    def shape(self, low: int = 1, high: int = 4, extent: int = 5) -> tuple[int, ...]:
        return tuple(self.whole(1, extent) for _ in range(self.whole(low, high)))

    def real(self, *shape: int) -> Array:
        return self.standard_normal(shape).astype(np.float32)

    def number(self, low: float, high: float, *shape: int) -> Array:
        return self.uniform(low, high, shape).astype(np.float32)

    def ints(self, low: int, high: int, *shape: int, dtype: Any = np.int64) -> Array:
        return np.asarray(self.integers(low, high + 1, shape)).astype(dtype)

    def distinct(self, *shape: int) -> Array:
        """Whole numbers that are all different: nothing that ranks them meets a tie."""
        return self.permutation(int(np.prod(shape))).reshape(shape).astype(np.float32)

    def some(self, **options: Callable[[], Any]) -> dict[str, Any]:
        """Each attribute is there or left out."""
        return {name: draw() for name, draw in options.items() if self.maybe()}

    def axes(self, rank: int, at_least: int = 1) -> list[int]:
        """Different axes, counted from either end."""
        chosen = self.permutation(rank)[: self.whole(min(at_least, rank), rank)]
        return [int(a) - (rank if self.maybe(0.3) else 0) for a in chosen]


Draw = Callable[[Dice], Case]
