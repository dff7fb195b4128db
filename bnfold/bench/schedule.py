"""The measurements of one call, in order, with a count of what is done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from bnfold.bench.isolated import measure_isolated
from bnfold.bench.pairs import measure_processes
from bnfold.bench.profile import profile
from bnfold.bench.records import Settings
from bnfold.bench.rows import Comparison, Failed, Isolated, Profile
from bnfold.errors import ModelError
from bnfold.progress import Progress

if TYPE_CHECKING:
    from bnfold.bench.model_files import ModelFile
    from bnfold.bench.place import MeasuringPlace

Measured = TypeVar("Measured")

_STEPS_ALONE = 20  # what one model alone counts for, so that a bar runs evenly
_STEPS_PAIRS = 40


@dataclass
class Schedule:
    """What there is to do for these subjects in each place; `run` does it and fills the rows.

    Attributes:
        subjects: the first is the baseline.
        places: the grid, the headline first.
        settings: what was asked for.
        with_profile: the operators are timed too.
        is_elsewhere: other Pythons measure; a model that one of them does not load is a row.
        progress: called with (steps done, steps in all, what is being done).
    """

    subjects: Sequence[ModelFile]
    places: Sequence[MeasuringPlace]
    settings: Settings
    with_profile: bool
    is_elsewhere: bool
    progress: Progress | None
    isolated: list[Isolated] = field(default_factory=list)
    comparisons: list[Comparison] = field(default_factory=list)
    profiles: list[Profile] = field(default_factory=list)
    failed: list[Failed] = field(default_factory=list)
    _done: int = 0

    def run(self) -> None:
        """Each model alone in each place, then the pairs, then the operators."""
        well = {place: self._alone(place) for place in self.places}
        for place, running in well.items():
            if len(self.subjects) > 1:
                self._pairs(place, running)
        for place, running in well.items() if self.with_profile else ():
            for subject in (one for one in running if not one.engine):
                self._say(0, f"{subject.name} by operator, {place}")
                self.profiles.append(profile(place, subject))
                self._say(_STEPS_ALONE, f"{subject.name} by operator, {place}")
        self._done = self._total
        self._say(0, "done")

    def _alone(self, place: MeasuringPlace) -> list[ModelFile]:
        """Measures them alone; those that run there."""
        running = []
        for subject in self.subjects:
            label = f"{subject.name} alone, {place}"
            self._say(0, label)
            row = self._or_failed(place, subject, lambda one: self._isolated(place, one))
            if row is not None:
                self.isolated.append(row)
                running.append(subject)
            self._say(_STEPS_ALONE, label)
        return running

    def _isolated(self, place: MeasuringPlace, subject: ModelFile) -> Isolated:
        asked = self.settings
        return measure_isolated(
            place,
            subject,
            processes=asked.processes,
            warm_up=asked.warm_up,
            streams=asked.streams,
        )

    def _or_failed(
        self, place: MeasuringPlace, subject: ModelFile, measure: Callable[[ModelFile], Measured]
    ) -> Measured | None:
        try:
            return measure(subject)
        except ModelError as error:
            if not (self.is_elsewhere or subject.may_fail):
                raise
            said = str(error).removeprefix(f"{subject.name}: ")
            self.failed.append(Failed(model=subject.name, **place.row, sentence=said))
            return None

    def _pairs(self, place: MeasuringPlace, running: Sequence[ModelFile]) -> None:
        baseline, *candidates = self.subjects
        start, label = self._done, f"pairs, {place}"
        self._say(0, label)
        rivals = [subject for subject in candidates if subject in running]
        if baseline in running and rivals:
            self.comparisons += measure_processes(
                place,
                [baseline, *rivals],
                self.settings,
                on_share=lambda share: self._say_at(start + int(share * _STEPS_PAIRS), label),
            )
        self._say_at(start + _STEPS_PAIRS, label)

    @property
    def _total(self) -> int:
        each = _STEPS_ALONE * (2 if self.with_profile else 1) * len(self.subjects)
        each += _STEPS_PAIRS if len(self.subjects) > 1 else 0
        return each * len(self.places)

    def _say(self, steps: int, label: str) -> None:
        self._say_at(self._done + steps, label)

    def _say_at(self, done: int, label: str) -> None:
        self._done = max(self._done, done)
        if self.progress is not None:
            self.progress(self._done, self._total, label)
