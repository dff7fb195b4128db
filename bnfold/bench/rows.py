"""The rows of a measurement: what was timed where, and what came out.

Times are milliseconds; ratios are baseline time / candidate time, so above 1 the candidate is
faster. `Where` says of each row in which corner of the sweep it was measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from bnfold.bench.quad import Quad
from bnfold.record import Row

Verdict = Literal["faster", "slower", "no difference", "inconclusive"]


@dataclass(frozen=True, kw_only=True)
class Where(Row):
    """Provider, level of optimisation, threads, batch and runtime; every row has them.

    `runtime` is empty where it is that of this Python.
    """

    provider: str
    level: str
    threads: int = 1
    batch: int = 1
    runtime: str = ""

    @property
    def where(self) -> tuple[str, str, int, int, str]:
        """The five, to find rows of one place by."""
        return self.provider, self.level, self.threads, self.batch, self.runtime


@dataclass(frozen=True)
class Interval(Row):
    """An estimate with its bootstrap percentile interval, `low <= estimate <= high`."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Comparison(Where):
    """A candidate against the baseline in one place.

    `processes` has the number of pairs of each process, in the order of `quads`.

    `null` is the same protocol on two sessions of the baseline: it should hold 1.
    `reason` says why the verdict is what it is where the interval alone does not.
    `interrupted` is the share of blocks in which another program took the core; None if not known.
    """

    baseline: str
    candidate: str
    verdict: Verdict
    sentence: str
    reason: str
    ratio: Interval
    null: Interval
    runs_per_block: int
    quads: tuple[Quad, ...]
    null_quads: tuple[Quad, ...]
    interrupted: float | None = None
    processes: tuple[int, ...] = ()

    def __bool__(self) -> bool:
        """Whether the candidate is known not to be slower: an inconclusive one is not known."""
        return self.verdict in ("faster", "no difference")

    def __repr__(self) -> str:
        """One line; the samples are in `quads`."""
        return f"<Comparison {self.provider}, {self.level}: {self.sentence}>"


@dataclass(frozen=True, kw_only=True)
class Isolated(Where):
    """One model in fresh processes of its own.

    The percentiles are those of all `runs`, the median over the processes (`medians_ms` has each
    one's own); `samples_ms` keeps some of the runs. `p99_ms` is told of a thousand runs or more.
    `session_ms` is the median over `session_samples_ms`, whose first entry is a cold start.
    `peak_rss_mib` is the peak of the whole process with one session and its runs, `base_rss_mib`
    what Python, NumPy and onnxruntime held before the session was created; None if not known.
    `runs_per_s` is the throughput of several streams, where it was asked for.
    `device_mib` is what the device holds more after the runs; `options` are those of its provider
    on which speed depends, TF32 and the search for algorithms among them, and `elsewhere` has the
    operators that another provider runs, with how many nodes. They are empty for the CPU.
    """

    model: str
    session_ms: float
    median_ms: float
    p10_ms: float
    p90_ms: float
    peak_rss_mib: float | None
    base_rss_mib: float | None
    session_samples_ms: tuple[float, ...]
    samples_ms: tuple[float, ...]
    p99_ms: float | None = None
    runs: int = 0
    medians_ms: tuple[float, ...] = ()
    runs_per_s: float | None = None
    device_mib: float | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    elsewhere: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class OperatorTime(Row):
    """The time that all nodes of one operator take together in one run, `share` of the whole."""

    op: str
    provider: str
    nodes: int
    mean_ms: float
    share: float


@dataclass(frozen=True, kw_only=True)
class Profile(Where):
    """Where one model spends its time, as onnxruntime's own profiler sees it, longest first."""

    model: str
    runs: int
    operators: tuple[OperatorTime, ...]


@dataclass(frozen=True, kw_only=True)
class Tax(Where):
    """What the batch norms of the baseline cost, and how much of that a candidate is rid of.

    `cost` is the share of the baseline's time that goes where they are deleted, which is what a
    perfect fold could reach; `gone` is the share of that cost which a candidate does not pay. It is
    None where the cost is not known to be there.
    """

    candidate: str
    cost: Interval
    gone: Interval | None
    sentence: str


@dataclass(frozen=True, kw_only=True)
class Since(Where):
    """A figure of now beside that of an earlier record.

    `what` is "alone", of which `then` and `now` are milliseconds, or "pairs", of which they are the
    ratio to the first model. `change` is above 1 where the model is faster now.
    """

    model: str
    what: str
    then: Interval
    now: Interval
    change: Interval
    verdict: Verdict
    sentence: str


@dataclass(frozen=True, kw_only=True)
class Failed(Where):
    """A model that a runtime does not load, or does not run, where others are measured."""

    model: str
    sentence: str
