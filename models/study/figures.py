"""What is asked of the runs: how fast, how good, whether at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product

from bnfold.errors import DataError
from models.cnn import Place
from models.study.grid import PLACES, Cell, Grid
from models.study.one_run import Outcome

LEARNED_PERCENT = 50.0  # on validation at the end; guessing is right in 10


@dataclass(frozen=True)
class Variant:
    """Where the batch norm stands, and whether there is Dropout."""

    place: Place
    dropout: bool

    @property
    def said(self) -> str:
        """`with batch norm before the activation and Dropout`."""
        norm = {
            "before": "with batch norm before the activation",
            "after": "with batch norm after the activation",
            "none": "without batch norm",
        }[self.place]
        if not self.dropout:
            return norm
        return f"{norm}, with Dropout" if self.place == "none" else f"{norm} and Dropout"


VARIANTS = tuple(Variant(place, dropout) for dropout, place in product((False, True), PLACES))


def of_whole_seeds(grid: Grid, outcomes: Mapping[Cell, Outcome]) -> Study:
    """The study of the first seeds of which every run is there.

    Raises:
        DataError: not even the first one is whole.
    """
    whole = 0
    while whole < grid.seeds and all(
        cell in outcomes for cell in grid.cells() if cell.seed == whole
    ):
        whole += 1
    if not whole:
        raise DataError("no seed has all of its runs yet, so there is nothing to tell")
    return Study(replace(grid, seeds=whole), outcomes)


class Study:
    """The outcomes of a whole grid."""

    def __init__(self, grid: Grid, outcomes: Mapping[Cell, Outcome]) -> None:
        self.grid = grid
        self._outcomes = outcomes

    def runs(self, variant: Variant, rate: float, scale: float = 1.0) -> list[Outcome]:
        """One for each seed, in their order."""
        return [
            self._outcomes[Cell(variant.place, variant.dropout, rate, scale, seed)]
            for seed in range(self.grid.seeds)
        ]

    def epochs_to_target(self, variant: Variant, rate: float, scale: float = 1.0) -> list[float]:
        """Until validation first reached the target; all epochs and one where it never did."""
        return [self._epochs_of(run) for run in self.runs(variant, rate, scale)]

    def _epochs_of(self, run: Outcome) -> float:
        hits = (
            i for i, percent in enumerate(run.accuracies, 1) if percent >= self.grid.target_percent
        )
        return float(next(hits, self.grid.epochs + 1))

    def reached(self, variant: Variant, rate: float, scale: float = 1.0) -> int:
        """How many seeds reached the target."""
        return sum(
            epochs <= self.grid.epochs for epochs in self.epochs_to_target(variant, rate, scale)
        )

    def held_out(self, variant: Variant, rate: float, scale: float = 1.0) -> list[float]:
        """Accuracy at the end on the held-out digits, in percent."""
        return [run.held_out_percent for run in self.runs(variant, rate, scale)]

    def failures(self, variant: Variant, rate: float, scale: float = 1.0) -> int:
        """How many seeds did not learn: the loss was lost, or validation ended below half."""
        return sum(not has_learned(run) for run in self.runs(variant, rate, scale))

    def working_rates(self, variant: Variant, scale: float = 1.0) -> list[float]:
        """The learning rates at which every seed learned."""
        rates = self.grid.learning_rates
        return [rate for rate in rates if not self.failures(variant, rate, scale)]

    def fastest_rate(self, variant: Variant) -> float:
        """The rate with the fewest epochs to the target, at He's scale; the smaller of equals."""
        return min(
            self.grid.learning_rates,
            key=lambda rate: (sum(self.epochs_to_target(variant, rate)), rate),
        )

    def best_rate(self, variant: Variant) -> float:
        """The rate that ends best on validation, at He's scale; the smaller of equals."""
        return min(
            self.grid.learning_rates,
            key=lambda rate: (-sum(_last(run) for run in self.runs(variant, rate)), rate),
        )


def has_learned(run: Outcome) -> bool:
    """Whether the loss stayed finite and validation ended above half."""
    return run.lost_at_step is None and _last(run) >= LEARNED_PERCENT


def _last(run: Outcome) -> float:
    """Validation at the end; a run that was lost answers nothing right."""
    return run.accuracies[-1] if run.lost_at_step is None else 0.0
