"""What came of each model of a sweep, and of all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from bnfold.bench.rows import Interval, Verdict
from bnfold.record import Row, json_form

Status = Literal["equivalent", "different", "inconclusive", "not verified", "failed"]

STATUSES: tuple[Status, ...] = (
    "equivalent",
    "not verified",
    "inconclusive",
    "different",
    "failed",
)


@dataclass(frozen=True)
class Timing(Row):
    """A folded model timed against its original in one place.

    Attributes:
        provider, level: where.
        verdict, ratio, sentence: as `bnfold bench` gives them: above 1 the folded one is faster.
    """

    provider: str
    level: str
    verdict: Verdict
    ratio: Interval
    sentence: str


@dataclass(frozen=True)
class Speed(Row):
    """What came of timing one model.

    Attributes:
        timings: a comparison for each level; the first is the headline. None where it failed.
        reason: the headline in a sentence, or why there is none.
        page: the report of the measurement, None where there is none.
        key: of both models, settings, version, runtime and machine: with the same, it is kept.
        exit_code: what `bnfold bench` would have given.
    """

    timings: tuple[Timing, ...]
    reason: str
    page: str | None = None
    key: str = ""
    exit_code: int = 0


@dataclass(frozen=True)
class Outcome:
    """One model of a sweep.

    Attributes:
        source: its path or URL, as it was found.
        target: where its folded model is; None where there is none, because it failed or differs.
        status: the verdict; "not verified" where none was asked for, "failed" where the model was
            not folded.
        reason: the verdict, or why it failed, in one sentence.
        before, after: its batch norms.
        left: those that stay, as codes of refusals with how many each; empty where none does.
        sha256: of the source with its external data, in hex; empty where it could not be read.
        target_sha256: of the folded model.
        size_bytes, target_size_bytes: of the two files, without external data.
        key: of source, settings and version: an outcome with the same key is this one.
        exit_code: what `bnfold fold --verify` would have given.
        is_kept: it is that of an earlier sweep into the same folder.
        speed: how it was timed; None where that was not asked for, or it has no folded model.
    """

    source: str
    target: str | None
    status: Status
    reason: str
    before: int = 0
    after: int = 0
    sha256: str = ""
    target_sha256: str = ""
    size_bytes: int = 0
    target_size_bytes: int = 0
    key: str = ""
    exit_code: int = 0
    is_kept: bool = False
    speed: Speed | None = None
    left: Mapping[str, int] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The outcome in the types of JSON."""
        found: dict[str, Any] = json_form(asdict(self))
        return found


@dataclass(frozen=True)
class SweepResult:
    """What came of every model, in the order in which they were given.

    Attributes:
        outcomes: of these models.
        orphans: folded models of earlier sweeps that stay in the folder, and whose originals are
            there no more.
    """

    outcomes: tuple[Outcome, ...]
    orphans: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """1 where a model came out different; else the first failure's; else 3 or 0."""
        codes = [outcome.exit_code for outcome in self.outcomes]
        codes += [o.speed.exit_code for o in self.outcomes if o.speed is not None]
        worst = [code for code in codes if code not in (0, 1, 3)]
        return 1 if 1 in codes else worst[0] if worst else 3 if 3 in codes else 0

    @property
    def headline(self) -> str:
        """How many models came out how, and what became of their batch norms."""
        counts = Counter(outcome.status for outcome in self.outcomes)
        said = ", ".join(f"{counts[status]} {status}" for status in STATUSES if counts[status])
        before = sum(outcome.before for outcome in self.outcomes)
        after = sum(outcome.after for outcome in self.outcomes)
        count = len(self.outcomes)
        models = f"{count} model{'' if count == 1 else 's'}"
        return f"{models}: {said}; batch norms: {before} -> {after}{self._speeds}"

    @property
    def _speeds(self) -> str:
        speeds = [outcome.speed for outcome in self.outcomes if outcome.speed is not None]
        counts = Counter(s.timings[0].verdict if s.timings else "not timed" for s in speeds)
        said = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
        return f"; timed: {said}" if said else ""

    def to_dict(self) -> dict[str, Any]:
        """The result in the types of JSON."""
        return {
            "headline": self.headline,
            "exit_code": self.exit_code,
            "models": [outcome.to_dict() for outcome in self.outcomes],
            "orphans": list(self.orphans),
        }

    def __str__(self) -> str:
        return self.headline
