"""What was asked to hold, and whether it does: for exit codes, and for machines that show tests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bnfold.report.blocks import Line, Style
from bnfold.report.words import counted

if TYPE_CHECKING:
    from bnfold.bench.records import BenchResult
    from bnfold.bench.rows import Comparison, Interval

FAILED, UNSURE = 1, 3


@dataclass(frozen=True)
class Gate:
    """One thing that was to hold; `holds` is None where it cannot be said.

    `subject` is the model that it is about, where there are several.
    """

    name: str
    holds: bool | None
    said: str
    subject: str = ""

    @property
    def exit_code(self) -> int:
        """0 where it holds, 1 where it does not, 3 where it cannot be said."""
        return {True: 0, False: FAILED, None: UNSURE}[self.holds]

    @property
    def line(self) -> Line:
        """The gate and how it came out."""
        style: Style = {True: "good", False: "bad", None: "warn"}[self.holds]  # type: ignore[assignment]
        word = {True: "holds", False: "does not hold", None: "cannot be said"}[self.holds]
        return Line(f"gate {self.name}: {word}: {self.said}", style)


def worst(codes: Iterable[int]) -> int:
    """The exit code of several: what is wrong counts before what cannot be said."""
    found = set(codes) - {0}
    return FAILED if FAILED in found else max(found, default=0)


def leaves_gate(left: int, most: int, *, subject: str = "") -> Gate:
    """At most so many batch norms are left."""
    of = f"{subject}: " if subject else ""
    said = f"{of}{counted(left, 'batch norm')} left, {most} may be"
    return Gate(f"--leaves {most}", left <= most, said, subject)


def foldable_gate(could: int, most: int, *, subject: str = "") -> Gate:
    """At most so many batch norms could be folded and are not."""
    of = f"{subject}: " if subject else ""
    said = f"{of}{counted(could, 'batch norm')} could be folded, {most} may be"
    return Gate(f"--foldable {most}", could <= most, said, subject)


def speed_gates(bench: BenchResult, limit: float) -> Iterator[Gate]:
    """No candidate takes more than `limit` times the baseline's time, for each headline.

    It fails where the whole interval lies beyond the limit, holds where all of it lies within, and
    cannot be said else. A candidate that a runtime does not load, and the baseline does, fails.
    """
    name = f"--fail-if-slower {limit:g}"
    provider, level = bench.settings.providers[0], bench.settings.levels[0]
    for row in bench.headline:
        said = f"{row.candidate}: {row.sentence}"
        yield Gate(name, _is_within(row, limit), said, row.candidate)
    baseline = bench.models[0].name
    named = {model.name for model in bench.models if model.role in ("baseline", "candidate")}
    without = {f.where for f in bench.failed if f.model == baseline}
    for failed in bench.failed:
        if (failed.provider, failed.level) == (provider, level) and failed.model in named:
            is_alone = failed.where not in without
            said = f"{failed.model} on {failed.runtime}: {failed.sentence}"
            yield Gate(name, False if is_alone else None, said, failed.model)


def since_gates(bench: BenchResult, limit: float, baseline: str) -> Iterator[Gate]:
    """No model that was named takes more than `limit` times what it took in the earlier record.

    Where that record cannot be held against this measurement, or has nothing of a model, it cannot
    be said.
    """
    name = f"--fail-if-slower {limit:g} since {baseline}"
    provider, level = bench.settings.providers[0], bench.settings.levels[0]
    named = [model.name for model in bench.models if model.role in ("baseline", "candidate")]
    for model in named:
        rows = [
            row
            for row in bench.since
            if (row.model, row.what, row.provider, row.level) == (model, "alone", provider, level)
        ]
        if not rows:
            yield Gate(name, None, f"{model}: nothing there to hold it against", model)
        for row in rows:
            said = f"{model} alone: {row.sentence}"
            yield Gate(name, _stays(row.change, limit), said, model)


def _is_within(row: Comparison, limit: float) -> bool | None:
    from bnfold.bench.statistics import is_null_sound

    if not is_null_sound(row.null):
        return None
    return _stays(row.ratio, limit)


def _stays(ratio: Interval, limit: float) -> bool | None:
    """Whether the time is at most `limit` times as long, for a ratio of the old to the new one."""
    if 1 / ratio.high > limit:
        return False
    return True if 1 / ratio.low <= limit else None
