"""One folded model of a sweep, timed against its original."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from bnfold import __version__
from bnfold.errors import BnfoldError, InconclusiveError
from bnfold.sweep.records import Outcome, Speed, Timing
from bnfold.sweep.stores import local_copy

if TYPE_CHECKING:
    from bnfold.bench.records import BenchResult


@dataclass(frozen=True)
class Timed:
    """A model that was folded, to be timed; `folded` is what has come of it so far."""

    folded: Outcome
    pairs: int | None
    seed: int
    custom_ops: tuple[str, ...] = ()

    @property
    def source(self) -> str:
        """The original's path or URL."""
        return self.folded.source

    def outcome(self) -> Outcome:
        """With the speed, as `bnfold.bench` measures it; a failure of that is told in it.

        What was measured before, of these two models on this machine, is kept.
        """
        try:
            key = self._key()
            speed = self.folded.speed
            if speed is not None and speed.key == key and _is_there(speed):
                return self.folded
            return replace(self.folded, speed=self._measured(key))
        except BnfoldError as error:
            return self.failure(str(error), error.exit_code)

    def failure(self, reason: str, exit_code: int) -> Outcome:
        """The fold as it is, with no timings and why."""
        return replace(self.folded, speed=Speed((), reason, exit_code=exit_code))

    def _measured(self, key: str) -> Speed:
        import bnfold
        from bnfold.model_io import Together
        from bnfold.report.html import html_page
        from bnfold.report.sections import Findings

        assert self.folded.target is not None, "only what was folded is timed"
        target = Path(self.folded.target)
        with local_copy(self.source) as path:
            found = bnfold.bench(
                [path, target], pairs=self.pairs, seed=self.seed, custom_ops=self.custom_ops
            )
        page = speed_page(target)
        with Together() as files:
            findings = Findings(f"bnfold sweep: {self.source}, timed", bench=found)
            files.write(page, html_page(findings).encode())
        return _speed(found, page, key)

    def _key(self) -> str:
        from bnfold.bench.environment import environment

        facts = environment(with_gpu=False)
        machine = [facts[name] for name in ("cpu", "cores_usable", "os", "versions")]
        models = [self.folded.sha256, self.folded.target_sha256]
        told = json.dumps([models, self.pairs, self.seed, __version__, machine], sort_keys=True)
        return hashlib.sha256(told.encode()).hexdigest()


def speed_page(target: Path) -> Path:
    """Where the report of the timing of a folded model goes."""
    return target.with_suffix(".speed.html")


def _speed(found: BenchResult, page: Path, key: str) -> Speed:
    timings = tuple(
        Timing(row.provider, row.level, row.verdict, row.ratio, row.sentence)
        for row in found.comparisons
    )
    (headline, *_) = found.headline
    code = 0 if found.is_conclusive else InconclusiveError.exit_code
    return Speed(timings, headline.sentence, str(page), key, code)


def _is_there(speed: Speed) -> bool:
    return bool(speed.timings) and speed.page is not None and Path(speed.page).is_file()
