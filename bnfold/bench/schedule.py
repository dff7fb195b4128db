"""The measurements of one call, in order, with a count of what is done."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bnfold.bench.bound import bind_alike
from bnfold.bench.isolated import measure_isolated
from bnfold.bench.profile import profile
from bnfold.bench.protocol import PairedSamples, measure_pairs
from bnfold.bench.records import Comparison, Isolated, Profile, Settings
from bnfold.bench.sessions import bound_model
from bnfold.bench.statistics import judge, ratio_interval, sentence
from bnfold.progress import Progress
from bnfold.runtime.engine import Setting

if TYPE_CHECKING:
    from bnfold.bench.inputs import Arrays
    from bnfold.bench.model_files import ModelFile

_STEPS_ALONE = 20  # what one model alone counts for beside a pair, so that a bar runs evenly


class Schedule:
    """What there is to do for these models, each provider and each level; methods do a part."""

    def __init__(
        self,
        found: Sequence[ModelFile],
        feeds: Arrays,
        settings: Settings,
        *,
        libraries: tuple[str, ...] = (),
        with_profile: bool,
        progress: Progress | None,
    ) -> None:
        self._models = found
        self._feeds = feeds
        self._settings = settings
        self._with_profile = with_profile
        self._progress = progress
        self._grid = tuple(
            Setting(provider, level, settings.threads, libraries)
            for provider in settings.providers
            for level in settings.levels
        )
        self._done = 0
        per_cell = len(found) * _STEPS_ALONE * (2 if with_profile else 1)
        per_cell += settings.pairs if len(found) > 1 else 0
        self._total = per_cell * len(self._grid)

    def isolated(self) -> tuple[Isolated, ...]:
        """Each model alone, for each provider and level."""
        rows = []
        for cell in self._grid:
            for model in self._models:
                self._advance(0, f"{model.name} alone, {_label(cell)}")
                rows.append(measure_isolated(model, cell, self._feeds))
                self._advance(_STEPS_ALONE, f"{model.name} alone, {_label(cell)}")
        return tuple(rows)

    def comparisons(self) -> tuple[Comparison, ...]:
        """Each further model against the first, for each provider and level."""
        if len(self._models) == 1:
            return ()
        return tuple(row for cell in self._grid for row in self._compare(cell))

    def profiles(self) -> tuple[Profile, ...]:
        """The operators of each model, where they were asked for."""
        rows = []
        for cell in self._grid if self._with_profile else ():
            for model in self._models:
                self._advance(0, f"{model.name} by operator, {_label(cell)}")
                rows.append(profile(model, cell, self._feeds))
                self._advance(_STEPS_ALONE, f"{model.name} by operator, {_label(cell)}")
        return tuple(rows)

    def _compare(self, cell: Setting) -> list[Comparison]:
        self._advance(0, f"pairs, {_label(cell)}")
        baseline, twin, *candidates = (
            bound_model(model.path, cell, self._feeds) for model in (self._models[0], *self._models)
        )
        bind_alike((baseline, twin, *candidates))
        samples = measure_pairs(
            baseline,
            twin,
            candidates,
            pairs=self._settings.pairs,
            seed=self._settings.seed,
            after_pair=lambda: self._advance(1, f"pairs, {_label(cell)}"),
        )
        return [self._judged(cell, samples, i) for i in range(len(candidates))]

    def _judged(self, cell: Setting, samples: PairedSamples, i: int) -> Comparison:
        null = ratio_interval(samples.null, seed=self._settings.seed)
        ratio = ratio_interval(samples.candidates[i], seed=self._settings.seed)
        verdict, reason = judge(ratio, null)
        return Comparison(
            provider=cell.provider,
            level=cell.level,
            baseline=self._models[0].name,
            candidate=self._models[i + 1].name,
            verdict=verdict,
            sentence=sentence(verdict, ratio),
            reason=reason,
            ratio=ratio,
            null=null,
            runs_per_block=samples.runs_per_block,
            quads=samples.candidates[i],
            null_quads=samples.null,
            interrupted=samples.interrupted,
        )

    def _advance(self, steps: int, label: str) -> None:
        self._done += steps
        if self._progress is not None:
            self._progress(self._done, self._total, label)


def _label(cell: Setting) -> str:
    return f"{cell.provider}, optimisations {cell.level}"
