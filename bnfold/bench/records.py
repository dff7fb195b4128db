"""A whole measurement: what was asked, of which models, and its rows; one JSON form.

`BenchResult.to_dict()` is stable under `schema_version`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeVar

from bnfold.bench.rows import Comparison, Failed, Isolated, Profile, Since, Tax, Where
from bnfold.int8.accuracy import Int8Accuracy
from bnfold.notebook_display import Shown
from bnfold.peers.optimised import Peer
from bnfold.record import SCHEMA_VERSION, Row, json_form

AnyRow = TypeVar("AnyRow", bound=Where)

Role = Literal["baseline", "candidate", "floor", "peer", "export"]
"""The first model; the others that a user names; those that bench measures beside them."""


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
    role: Role
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
    against: tuple[str, ...] = ()
    floor: bool = False
    cuda_graph: bool = False


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
    taxes: tuple[Tax, ...] = ()
    peers: tuple[Peer, ...] = ()
    since: tuple[Since, ...] = ()

    @property
    def headline(self) -> tuple[Comparison, ...]:
        """The comparisons of the models named, at the first level asked for, on the first provider.

        On each runtime, at each batch and number of threads, where several were asked for. The
        floor, other optimisers and a default export have rows, and are no headline.
        """
        return tuple(c for c in self._first(self.comparisons) if c.candidate not in self._beside)

    @property
    def _beside(self) -> set[str]:
        """The models that were measured beside those that were named."""
        return {m.name for m in self.models if m.role not in ("baseline", "candidate")}

    def _first(self, rows: Iterable[AnyRow]) -> list[AnyRow]:
        """Those of the first provider at the first level."""
        place = (self.settings.providers[0], self.settings.levels[0])
        return [row for row in rows if (row.provider, row.level) == place]

    @property
    def is_conclusive(self) -> bool:
        """True where no headline comparison was too noisy to judge, or could not be made."""
        could_run = all(f.model in self._beside for f in self._first(self.failed))
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
        `runtimes`, `int8`, `taxes`, `peers`, `since`, `notes`, and `is_conclusive`; the rows carry
        the fields of the dataclasses here and in `bnfold.bench.rows`.
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
