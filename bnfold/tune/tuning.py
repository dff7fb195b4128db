"""The search for what pays: what is free, each price as a whole, then halves of what does not."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bnfold.bench.records import BenchResult
from bnfold.fold.account.ledger import Ledger
from bnfold.fold.account.tried import FREE, Trial
from bnfold.fold.api import FoldResult, fold
from bnfold.fold.plan import Refusal
from bnfold.fold.rules import MERGES, price_order
from bnfold.progress import Progress
from bnfold.tune.judged import judged
from bnfold.tune.state import TuningState

_NOT_FASTER = Refusal("skipped", "the model was not faster on the target without it")


@dataclass(frozen=True)
class Unit:
    """Rewrites of one kind that are tried together: for these batch norms."""

    price: str
    batch_norms: tuple[str, ...]

    def halves(self) -> list[Unit]:
        """The same for the first and the second half; none of one batch norm."""
        middle = len(self.batch_norms) // 2
        parts = (self.batch_norms[:middle], self.batch_norms[middle:])
        return [Unit(self.price, part) for part in parts if part] if middle else []


class Tuning:
    """One tuning: what is in the model by now, and what is still to be tried."""

    def __init__(
        self,
        original: Path,
        folder: Path,
        skipped: frozenset[str],
        measure: Callable[[Sequence[Path]], BenchResult],
        state: TuningState,
        budget: float | None,
        progress: Progress | None,
    ) -> None:
        self._original = original
        self._folder = folder
        self._skipped = skipped
        self._measure = measure
        self._state = state
        self._deadline = math.inf if budget is None else time.monotonic() + budget
        self._progress = progress
        self._longest_s = 0.0
        self._accepted: list[Unit] = []
        self._trials: list[Trial] = []

    def run(self) -> FoldResult:
        """The fold with all that is faster; its ledger tells what was tried."""
        free = fold(self._original, skip=self._skipped)
        self._stuck = {d.name: d.would_fold_with for d in free.ledger.batch_norms
                       if not d.is_folded and d.would_fold_with}  # fmt: skip
        self._free = tuple(decision.name for decision in free.ledger.folded)
        units = self._units()
        best = self._folded([])
        while units:
            unit = units.pop(0)
            self._tell(len(units), unit)
            found = self._folded([*self._accepted, unit])
            if len(found.ledger.folded) <= len(best.ledger.folded):
                continue  # it folds nothing by itself: an earlier one has taken these
            trial = self._tried(unit, best, found)
            self._trials.append(trial)
            if trial.is_kept:
                self._accepted.append(unit)
                best = found
            elif trial.verdict != "not tried":
                units = [*unit.halves(), *units]
        self._tell(0, None)
        return replace(best, ledger=self._told(best.ledger, free.ledger))

    def _told(self, ledger: Ledger, free: Ledger) -> Ledger:
        """The ledger with what was tried, and with the reasons that a fold without a target has.

        Each trial leaves alone by name what it is not about; nobody asked for that.
        """
        reasons = {d.output: d for d in free.decisions if not d.is_folded}
        decisions = []
        for decision in ledger.decisions:
            found = decision if decision.is_folded else reasons.get(decision.output, decision)
            if not found.is_folded and found.name in self._free:
                found = replace(found, refusals=(_NOT_FASTER,))
            decisions.append(found)
        is_free = all(unit.price == FREE for unit in self._accepted)
        return replace(
            ledger,
            decisions=tuple(decisions),
            allowances=free.allowances if is_free else ledger.allowances,
            tried=tuple(self._trials),
        )

    def _units(self) -> list[Unit]:
        """What is free first, then for each rewrite all batch norms that it would fold."""
        free = [Unit(FREE, self._free)] if self._free else []
        offered = {price for would in self._stuck.values() for price in would}
        prices = sorted(offered, key=lambda several: price_order(several.split(",")))
        return free + [
            Unit(price, tuple(name for name, would in self._stuck.items() if price in would))
            for price in prices
        ]

    def _folded(self, units: Sequence[Unit]) -> FoldResult:
        """The model with these rewrites, for their batch norms and no others."""
        chosen = {name for unit in units for name in unit.batch_norms}
        prices = [unit.price for unit in units if unit.price != FREE]
        allow = [price for several in prices for price in several.split(",")]
        others = {name for name in (*self._stuck, *self._free) if name not in chosen}
        if self._free and len(prices) == len(units):
            others.update(MERGES)  # free as well: without what is free, nothing is merged
        return fold(self._original, allow=allow, skip=self._skipped | others)

    def _tried(self, unit: Unit, best: FoldResult, found: FoldResult) -> Trial:
        what = " + ".join(f"{u.price} {list(u.batch_norms)}" for u in [*self._accepted, unit])
        if what in self._state.trials:
            return self._state.trials[what]
        if time.monotonic() + self._longest_s > self._deadline:
            return Trial(
                unit.price,
                unit.batch_norms,
                "not tried",
                is_kept=self._is_all_free(unit),
                reason="the time was over",
            )
        start = time.monotonic()
        without = self._folder / "without" / self._original.name  # what errors call it
        without.parent.mkdir(exist_ok=True)
        paths = [best.save(without), found.save(self._folder / "with.onnx")]
        times = self._measure(paths)
        trial = judged(unit.price, unit.batch_norms, times, has_to_pay=not self._is_all_free(unit))
        self._longest_s = max(self._longest_s, time.monotonic() - start)
        self._state.add(what, trial)
        return trial

    def _is_all_free(self, unit: Unit) -> bool:
        """It is kept unless it costs; of a half is known that the whole does, so it has to pay."""
        return unit == Unit(FREE, self._free)

    def _tell(self, left: int, unit: Unit | None) -> None:
        if self._progress is not None:
            done = len(self._trials)
            what = "done" if unit is None else f"{unit.price} for {len(unit.batch_norms)}"
            self._progress(done, done + left + (unit is not None), what)
