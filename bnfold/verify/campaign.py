"""The runs of a verification: both models, at each level, on each feed, one session at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from bnfold.float64 import UnsupportedOperatorError
from bnfold.verify.case import OutputCase
from bnfold.verify.feeds import Feed
from bnfold.verify.records import OutputRow
from bnfold.verify.runtime import RunError, Setting
from bnfold.verify.signature import Array, is_exact_dtype
from bnfold.verify.subject import Subject

Run = list[Array]
Step = Callable[[], None]

COPIES = 2
COPIES_AS_REFERENCE = 6
"""Neighbours of the original to run; more where they are all there is to compare with."""


@dataclass
class Campaign:
    """What has been run so far, and what came of it.

    `original` has the original's run on each feed at the first level. `step` is called after each
    run of anything on a feed.
    """

    a: Subject
    b: Subject
    feeds: Sequence[Feed]
    original: Sequence[Run]
    setting: Setting
    levels: Sequence[str]
    seed: int
    step: Step
    method: str = ""
    is_range: bool = False
    rows: list[OutputRow] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    failure: str | None = None
    others: list[Run] = field(default_factory=list)

    def run(self) -> None:
        """All of it; `failure` has a sentence if the other model could not be run.

        `others` has the other model's runs at the first level.
        """
        cases = self._cases(self._references())
        self._add_noise(cases)
        for level in self.levels:
            setting = replace(self.setting, level=level)
            is_first = level == self.levels[0]
            original = self.original if is_first else self._runs(self.a, setting)
            try:
                other = self._runs(self.b, setting)
            except RunError as error:
                self.failure = f"{error} (the original does)"
                return
            mismatch = self._shape_mismatch(original, other)
            if mismatch is not None:
                self.failure = mismatch
                return
            self.others = self.others or other
            for i, case in enumerate(cases):
                ours, theirs = [run[i] for run in original], [run[i] for run in other]
                self.rows.append(
                    case.row(level, ours, theirs, is_own_reference=self.is_range and is_first)
                )

    def _references(self) -> Sequence[Run]:
        """The float64 outputs of the original; where there are none, its own runs."""
        results = []
        for feed in self.feeds:
            try:
                results.append(self.a.reference(feed.arrays))
            except UnsupportedOperatorError as error:
                self.method = "range comparison: against the spread of the original's own runs"
                self.is_range = True
                self.notes.append(
                    f"there is no float64 reference ({error}): the other model is compared with "
                    "the range that the original covers when its weights are rounded once more"
                )
                return [[_widened(array) for array in run] for run in self.original]
            self.step()
        self.method = self.a.method
        return results

    def _cases(self, references: Sequence[Run]) -> list[OutputCase]:
        names = [feed.name for feed in self.feeds]
        return [
            OutputCase(
                spec.name, names, [run[i] for run in references], [run[i] for run in self.original]
            )
            for i, spec in enumerate(self.a.outputs)
        ]

    def _add_noise(self, cases: Sequence[OutputCase]) -> None:
        for copy in range(COPIES_AS_REFERENCE if self.is_range else COPIES):
            runner = self.a.open(self.setting, noise=(self.seed, copy))
            for index, feed in enumerate(self.feeds):
                for case, array in zip(cases, runner.run(feed.arrays), strict=True):
                    case.add_noise(index, array)
                self.step()

    def _runs(self, subject: Subject, setting: Setting) -> list[Run]:
        runner = subject.open(setting)
        results = []
        for feed in self.feeds:
            results.append(runner.run(feed.arrays))
            self.step()
        return results

    def _shape_mismatch(self, original: Sequence[Run], other: Sequence[Run]) -> str | None:
        for feed, ours, theirs in zip(self.feeds, original, other, strict=True):
            for spec, a, b in zip(self.a.outputs, ours, theirs, strict=True):
                if a.shape != b.shape:
                    return (
                        f"output {spec.name!r} has shape {list(b.shape)} on inputs {feed.name!r}, "
                        f"{list(a.shape)} in the original"
                    )
        return None


def steps(feeds: int, levels: int) -> int:
    """How often `step` is called, about: references, neighbours, and both models at each level."""
    return feeds * (1 + COPIES + 2 * levels - 1)


def _widened(array: Array) -> Array:
    return array if is_exact_dtype(array.dtype) else array.astype("float64")
