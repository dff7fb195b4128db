"""One pair of measurements; like what measures it, it is handed to other Pythons."""

from __future__ import annotations

from dataclasses import dataclass

from bnfold.record import Row


@dataclass(frozen=True)
class Quad(Row):
    """One pair: four timed blocks, A B B A or B A A B; A is the baseline.

    `ms[i]` is the time of the median run of the block that `order[i]` names.
    """

    order: str
    ms: tuple[float, float, float, float]
