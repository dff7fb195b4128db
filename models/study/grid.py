"""Which runs the study is made of, fixed before any of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product

from models.cnn import Place

PLACES: tuple[Place, ...] = ("before", "after", "none")


@dataclass(frozen=True)
class Cell:
    """One run: a variant of `models/cnn.py`, how it starts, and how fast it learns.

    `init_scale` multiplies He's standard deviation of each convolution's weights.
    """

    place: Place
    dropout: bool
    learning_rate: float
    init_scale: float
    seed: int


@dataclass(frozen=True)
class Grid:
    """Every combination of these, each trained for so many epochs.

    Plain stochastic gradient descent with momentum and a constant rate: what adapts or schedules
    the rate would hide what the study asks about. With Dropout, the first weights have the sizes
    `dropout_scales` alone.
    """

    learning_rates: tuple[float, ...] = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
    init_scales: tuple[float, ...] = (0.25, 1.0, 4.0)
    dropout_scales: tuple[float, ...] = (1.0,)
    seeds: int = 8
    epochs: int = 15
    batch_size: int = 64
    momentum: float = 0.9
    validation: int = 200
    target_percent: float = 95.0

    def cells(self) -> list[Cell]:
        """All runs; seeds are outermost, so that a part of them is a smaller study."""
        return [
            Cell(place, dropout, rate, scale, seed)
            for seed, place, dropout, rate in product(
                range(self.seeds), PLACES, (False, True), self.learning_rates
            )
            for scale in self.scales(dropout)
        ]

    def scales(self, dropout: bool) -> tuple[float, ...]:
        """The sizes of the first weights, over He's."""
        return self.dropout_scales if dropout else self.init_scales


FULL = Grid()
QUICK = replace(
    FULL,
    learning_rates=(0.03, 0.3),
    init_scales=(1.0,),
    seeds=2,
    epochs=3,
)
