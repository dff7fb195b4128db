"""`bnfold.tune`: a fold that keeps what is faster on this target, and nothing else."""

from __future__ import annotations

import math
import os
import tempfile
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import onnx
import onnx_ir as ir

from bnfold import model_io
from bnfold.bench.api import bench
from bnfold.bench.records import BenchResult
from bnfold.errors import UsageError
from bnfold.fold.account.trial import Trial
from bnfold.fold.api import FoldResult, fold
from bnfold.fold.rules import named
from bnfold.logs import logged
from bnfold.progress import Progress
from bnfold.tune.state import State
from bnfold.verify.user_data import Data

TARGETS = ("cpu", "cuda", "int8")

MOST_LOST_DB = 3.0
"""So much further from the float model may a rewrite take int8: half a bit."""


@logged
def tune(
    model: str | os.PathLike[str] | onnx.ModelProto | ir.Model,
    *,
    target: str = "cpu",
    int8: Data | None = None,
    python: str | os.PathLike[str] | None = None,
    budget: float | None = None,
    skip: str | Collection[str] = (),
    threads: int = 1,
    batch: int | None = None,
    dims: Mapping[str, int] | None = None,
    pairs: int = 40,
    state: str | os.PathLike[str] | None = None,
    runtime: str | None = None,
    progress: Progress | None = None,
) -> FoldResult:
    """The model is folded, with those rewrites that have a price and are faster on this target.

    Each is measured in pairs against the model without it. What is faster as a whole is kept; what
    is not is tried by halves of its batch norms. "No difference" is never kept. In int8, what takes
    the model 3 dB further from the float model is not kept either. The ledger's `tried` tells all.

    Args:
        model: a path, a ModelProto or an onnx_ir.Model; it stays as it is.
        target: "cpu" or "cuda", in the model's own types; "int8": on the CPU, quantised by
            onnxruntime's static quantiser.
        int8: calibration data for that, as `bnfold.bench` takes it.
        python: an interpreter whose onnxruntime is to be measured; without, this one.
        budget: seconds after which nothing more is tried; what is left is said.
        skip: names of nodes or rules to leave alone, as `bnfold.fold` takes them.
        threads: threads inside one operator.
        batch: the size of a dynamic first dimension.
        dims: sizes of further dynamic dimensions.
        pairs: paired measurements of each rewrite.
        state: a file that keeps what was measured; with it, a tuning that was stopped goes on.
        runtime: a release that has to load the model, as `bnfold.fold` takes it.
        progress: called with (steps done, steps in all, what is being done).

    Raises:
        UsageError: a setting makes no sense, or the Python cannot measure.
        ModelError: the model cannot be read, folded or run.
        DataError: calibration data that does not fit, or a state of another tuning.
        ProviderUnavailableError: the target is not on this machine.
    """
    _require(target, int8, budget)
    skipped = named(skip)
    with tempfile.TemporaryDirectory(prefix="bnfold-") as name:
        folder = Path(name)
        original = folder / "original.onnx"
        model_io.save(model_io.load(model), original)
        key = {"sha256": model_io.sha256(original), "target": target, "threads": threads,
               "batch": batch, "dims": dict(dims or {}), "pairs": pairs, "skip": sorted(skipped),
               "python": None if python is None else os.fspath(python)}  # fmt: skip
        kept = State(None if state is None else Path(state), key)
        kept.read()

        def measure(paths: Sequence[Path]) -> BenchResult:
            return bench(
                paths,
                providers="cuda" if target == "cuda" else "cpu",
                threads=threads,
                batch=batch,
                levels="all",
                pairs=pairs,
                dims=dims,
                int8=int8 if target == "int8" else None,
                pythons=() if python is None else (python,),
            )

        found = _Tuning(original, folder, skipped, measure, kept, budget, progress).run()
        return found if runtime is None else found.for_release(runtime)


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


class _Tuning:
    """One tuning: what is in the model by now, and what is still to be tried."""

    def __init__(
        self,
        original: Path,
        folder: Path,
        skipped: frozenset[str],
        measure: Callable[[Sequence[Path]], BenchResult],
        state: State,
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
        best = fold(self._original, skip=self._skipped)
        self._stuck = {d.name: d.would_fold_with for d in best.ledger.batch_norms
                       if not d.is_folded and d.would_fold_with}  # fmt: skip
        units = self._units()
        while units:
            unit = units.pop(0)
            self._tell(len(units), unit)
            found = self._folded([*self._accepted, unit])
            if found.ledger.batch_norms_after >= best.ledger.batch_norms_after:
                continue  # it folds nothing by itself: an earlier one has taken these
            trial = self._tried(unit, best, found)
            self._trials.append(trial)
            if trial.is_kept:
                self._accepted.append(unit)
                best = found
            elif trial.verdict != "not tried":
                units = [*unit.halves(), *units]
        self._tell(0, None)
        return replace(best, ledger=replace(best.ledger, tried=tuple(self._trials)))

    def _units(self) -> list[Unit]:
        """For each rewrite, all batch norms that it would fold."""
        prices = dict.fromkeys(price for would in self._stuck.values() for price in would)
        return [
            Unit(price, tuple(name for name, would in self._stuck.items() if price in would))
            for price in prices
        ]

    def _folded(self, units: Sequence[Unit]) -> FoldResult:
        """The model with these rewrites, for their batch norms and no others."""
        chosen = {name for unit in units for name in unit.batch_norms}
        allow = [price for unit in units for price in unit.price.split(",")]
        others = {name for name in self._stuck if name not in chosen}
        return fold(self._original, allow=allow, skip=self._skipped | others)

    def _tried(self, unit: Unit, best: FoldResult, found: FoldResult) -> Trial:
        what = " + ".join(f"{u.price} {list(u.batch_norms)}" for u in [*self._accepted, unit])
        if what in self._state.trials:
            return self._state.trials[what]
        if time.monotonic() + self._longest_s > self._deadline:
            return Trial(unit.price, unit.batch_norms, "not tried", reason="the time was over")
        start = time.monotonic()
        paths = [best.save(self._folder / "without.onnx"), found.save(self._folder / "with.onnx")]
        trial = _judged(unit, self._measure(paths))
        self._longest_s = max(self._longest_s, time.monotonic() - start)
        self._state.add(what, trial)
        return trial

    def _tell(self, left: int, unit: Unit | None) -> None:
        if self._progress is not None:
            done = len(self._trials)
            what = "done" if unit is None else f"{unit.price} for {len(unit.batch_norms)}"
            self._progress(done, done + left + (unit is not None), what)


def _judged(unit: Unit, found: BenchResult) -> Trial:
    """The trial that this measurement is."""
    if not found.comparisons:
        said = "; ".join(f"{failed.model}: {failed.sentence}" for failed in found.failed)
        return Trial(
            unit.price, unit.batch_norms, "inconclusive", reason=f"it does not run: {said}"
        )
    (row,) = found.comparisons
    lost = 0.0
    if found.int8:
        before, after = found.int8
        lost = before.snr_db - after.snr_db
    is_near = lost <= MOST_LOST_DB
    reason = "" if is_near else f"in int8 it is {lost:.1f} dB further from the float model"
    return Trial(
        rewrite=unit.price,
        batch_norms=unit.batch_norms,
        verdict=row.verdict,
        ratio=row.ratio.estimate,
        low=row.ratio.low,
        high=row.ratio.high,
        is_kept=row.verdict == "faster" and is_near,
        reason=reason or row.reason,
    )


def _require(target: str, int8: Data | None, budget: float | None) -> None:
    if target not in TARGETS:
        raise UsageError(f"unknown target {target!r}: choose from {', '.join(TARGETS)}")
    if (target == "int8") != (int8 is not None):
        raise UsageError("the target int8 needs calibration data, and no other target takes it")
    if budget is not None and not (budget > 0 and math.isfinite(budget)):
        raise UsageError(f"the budget must be more than 0 seconds, not {budget:g}")
