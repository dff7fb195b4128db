"""What a measurement leaves behind: frozen facts, raw samples kept, one JSON form.

`BenchResult.to_dict()` is stable under `schema_version`. Times are milliseconds; ratios are
baseline time / candidate time, so above 1 the candidate is faster.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from bnfold.bench.quad import Quad
from bnfold.int8.accuracy import Int8Accuracy
from bnfold.notebook_display import Shown
from bnfold.record import SCHEMA_VERSION, Row, json_form

Verdict = Literal["faster", "slower", "no difference", "inconclusive"]


@dataclass(frozen=True)
class Interval(Row):
    """An estimate with its bootstrap percentile interval, `low <= estimate <= high`."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True)
class Comparison(Row):
    """A candidate against the baseline on one provider at one optimisation level.

    `threads`, `batch` and `runtime` say where, like `provider` and `level`; `runtime` is empty
    where it is that of this Python. `processes` has the number of pairs of each process, in the
    order of `quads`.

    `null` is the same protocol on two sessions of the baseline: it should hold 1.
    `reason` says why the verdict is what it is where the interval alone does not.
    `interrupted` is the share of blocks in which another program took the core; None if not known.
    """

    provider: str
    level: str
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
    threads: int = 1
    batch: int = 1
    runtime: str = ""
    processes: tuple[int, ...] = ()

    def __bool__(self) -> bool:
        """Whether the candidate is known not to be slower: an inconclusive one is not known."""
        return self.verdict in ("faster", "no difference")

    def __repr__(self) -> str:
        """One line; the samples are in `quads`."""
        return f"<Comparison {self.provider}, {self.level}: {self.sentence}>"


@dataclass(frozen=True)
class Isolated(Row):
    """One model in fresh processes of its own.

    The percentiles are those of all `runs`, the median over the processes (`medians_ms` has each
    one's own); `samples_ms` keeps some of the runs. `p99_ms` is told of a thousand runs or more.
    `session_ms` is the median over `session_samples_ms`, whose first entry is a cold start.
    `peak_rss_mib` is the peak of the whole process with one session and its runs, `base_rss_mib`
    what Python, NumPy and onnxruntime held before the session was created; None if not known.
    `runs_per_s` is the throughput of several streams, where it was asked for.
    """

    model: str
    provider: str
    level: str
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
    threads: int = 1
    batch: int = 1
    runtime: str = ""


@dataclass(frozen=True)
class OperatorTime(Row):
    """The time that all nodes of one operator take together in one run, `share` of the whole."""

    op: str
    provider: str
    nodes: int
    mean_ms: float
    share: float


@dataclass(frozen=True)
class Profile(Row):
    """Where one model spends its time, as onnxruntime's own profiler sees it, longest first."""

    model: str
    provider: str
    level: str
    runs: int
    operators: tuple[OperatorTime, ...]
    threads: int = 1
    batch: int = 1
    runtime: str = ""


@dataclass(frozen=True)
class Failed(Row):
    """A model that a runtime of another Python does not load, or does not run."""

    model: str
    provider: str
    level: str
    threads: int
    batch: int
    runtime: str
    sentence: str


@dataclass(frozen=True)
class Runtime(Row):
    """A Python that measured, and its versions; `name` is what its rows are called."""

    name: str
    path: str
    python: str
    onnxruntime: str
    numpy: str


@dataclass(frozen=True)
class BenchModel(Row):
    """A model that was measured; `size_bytes` and `sha256` cover its external data too."""

    name: str
    path: str
    role: Literal["baseline", "candidate"]
    size_bytes: int
    sha256: str


@dataclass(frozen=True)
class BenchInput(Row):
    """One input as it was fed to every model; `batch` is the row's that it belongs to."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    source: Literal["random", "given"]
    batch: int = 1


@dataclass(frozen=True)
class Settings(Row):
    """What was asked for, and the constants of the protocol that the verdicts rest on.

    `batch` is empty where none was asked for; the rows have the size that was timed.
    `pairs` is None where `duration_s`, seconds of pairs for each comparison, decides them.
    """

    providers: tuple[str, ...]
    levels: tuple[str, ...]
    threads: tuple[int, ...]
    batch: tuple[int, ...]
    pairs: int | None
    duration_s: float | None
    processes: int
    warm_up: int
    streams: int
    inter_threads: int
    session_options: tuple[tuple[str, str], ...]
    seed: int
    block_ms: float
    confidence: float
    resolution: float
    margin: float


@dataclass(frozen=True)
class BenchResult(Shown):
    """Everything that was measured, with what is needed to judge it and to repeat it."""

    models: tuple[BenchModel, ...]
    inputs: tuple[BenchInput, ...]
    comparisons: tuple[Comparison, ...]
    isolated: tuple[Isolated, ...]
    profiles: tuple[Profile, ...]
    notes: tuple[str, ...]
    settings: Settings
    environment: dict[str, Any]
    failed: tuple[Failed, ...] = ()
    runtimes: tuple[Runtime, ...] = ()
    int8: tuple[Int8Accuracy, ...] = ()

    @property
    def headline(self) -> tuple[Comparison, ...]:
        """The comparisons at the first level asked for, on the first provider.

        On each runtime, at each batch and number of threads, where several were asked for.
        """
        provider, level = self.settings.providers[0], self.settings.levels[0]
        return tuple(c for c in self.comparisons if (c.provider, c.level) == (provider, level))

    @property
    def is_conclusive(self) -> bool:
        """True where no headline comparison was too noisy to judge, or could not be made."""
        provider, level = self.settings.providers[0], self.settings.levels[0]
        could_run = not any((f.provider, f.level) == (provider, level) for f in self.failed)
        return could_run and all(c.verdict != "inconclusive" for c in self.headline)

    def __bool__(self) -> bool:
        """Whether no candidate is slower, as far as the headlines say with certainty.

        `assert bnfold.bench(["old.onnx", "new.onnx"])` is a test. A model that was measured alone
        is compared with nothing, and true.
        """
        return all(self.headline) and (self.is_conclusive or not self.failed)

    def __repr__(self) -> str:
        """The headlines, a line each; the samples are in the fields, and in `to_dict()`."""
        said = [f"{c.candidate} against {c.baseline}: {c.sentence}" for c in self.headline]
        measured = ", ".join(model.name for model in self.models)
        return f"<BenchResult {'; '.join(said) or f'of {measured}'}>"

    def to_dict(self) -> dict[str, Any]:
        """The whole record as JSON types.

        Keys: `schema_version`, `record` ("bench"), `tool` {name, version}, `environment`,
        `settings`, `models`, `inputs`, `comparisons`, `isolated`, `profiles`, `failed`,
        `runtimes`, `int8`, `notes`, and `is_conclusive`; the rows carry the fields of the
        dataclasses of this module.
        """
        from bnfold import __version__

        rows = asdict(self)
        return {
            "schema_version": SCHEMA_VERSION,
            "record": "bench",
            "tool": {"name": "bnfold", "version": __version__},
            "is_conclusive": self.is_conclusive,
            **json_form(rows),
        }
