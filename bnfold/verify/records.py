"""What a verification found: frozen records that a report can render and a file can keep."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from bnfold.errors import InconclusiveError, ModelsDifferError
from bnfold.notebook_display import Shown
from bnfold.record import SCHEMA_VERSION, Row, json_form

Verdict = Literal["equivalent", "different", "inconclusive"]

RANGE = "range comparison"

_SIDES = 2  # that a sentence names

EXIT_CODES: dict[Verdict, int] = {"equivalent": 0, "different": 1, "inconclusive": 3}


@dataclass(frozen=True)
class StructureRow(Row):
    """Something about the two models that is not a number; `is_fatal` rules out equivalence."""

    what: str
    original: str
    other: str
    is_same: bool
    is_fatal: bool


@dataclass(frozen=True)
class FeedRow(Row):
    """One set of inputs: how it was made and its shapes; `seed` is None for the user's data."""

    name: str
    kind: str
    seed: tuple[int, ...] | None
    shapes: dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class OutputRow(Row):
    """One output at one optimisation level.

    Errors are root mean squares relative to the output's own, over all feeds. `ratio` is the other
    model's error over the rounding error of the original, or over the floor where that is larger;
    `channel_ratio` is the same for the worst channel, index `worst_channel` of `channel_axis`.
    `is_exact`: its values are equal or not (integers, booleans, strings), and `mismatches` counts
    those that are not. A row that is not judged is within, and its remark says why.
    `faint_channels` counts those that are so much fainter than the others, and seen in so few
    numbers, that a fault of a sixteenth of them would not show.
    """

    level: str
    name: str
    dtype: str
    shape: tuple[int, ...]
    error_original: float
    error_other: float
    ratio: float
    channel_ratio: float | None
    channel_axis: int | None
    worst_channel: int | None
    worst_feed: str
    max_difference: float
    mismatches: int
    elements: int
    non_finite: int
    is_within: bool
    remark: str = ""
    is_judged: bool = True
    is_exact: bool = False
    faint_channels: int = 0


@dataclass(frozen=True)
class Location(Row):
    """Where two models part: the first tensor that is off, and the fold sites to blame.

    `ratio` is the tensor's error over its budget's yardstick. `sites` are names that
    `fold --skip` takes.
    """

    tensor: str
    producer: str
    ratio: float
    sites: tuple[str, ...]
    sentence: str


@dataclass(frozen=True)
class Doubt(Row):
    """Why the float64 reference is not believed: see `trust`.

    On an output the original's error is `error`, on the inputs `feed` or, in one channel, on all;
    its neighbours are only `spread` apart from it, both relative to the output. `operator` is where
    runtime and reference part, as `Op 'name'`; empty where none stands out.
    """

    output: str
    feed: str
    error: float
    spread: float
    times: float
    operator: str = ""

    @property
    def sentence(self) -> str:
        """What a user should know."""
        where = f"; they part at {self.operator}" if self.operator else ""
        on = f" on inputs {self.feed!r}" if self.feed else ""
        return (
            f"the float64 reference is not trusted: output {self.output!r} of the original is "
            f"{self.error:.2g} of its scale away from it{on}, and {self.spread:.2g} from copies "
            f"that are rounded once more{where}"
        )


@dataclass(frozen=True)
class DecisionRow(Row):
    """What a classifier decides, on the user's data: counts out of `samples`.

    `smallest_margin` is the least gap between the original's two best classes, and
    `largest_change` the largest change of any class score.
    """

    output: str
    samples: int
    classes: int
    top1_agree: int
    top5_agree: int | None
    smallest_margin: float
    largest_change: float


@dataclass(frozen=True)
class Share(Row):
    """How many of some things were reached: units behind a Relu, or rows of a table."""

    name: str
    reached: int
    of: int


@dataclass(frozen=True)
class Coverage(Row):
    """What of the original the inputs reached, as far as its float64 reference was computed.

    `branches` were never run. `units` has the results in which some channel of what they are made
    of never showed, as behind a Relu that was never above 0; `ids` the inputs that index a table,
    and `rows` the tables of which computed indices, sizes or keys did not read all, or the trees.
    `sides` of a bound, a maximum or a condition, and the ends of what only one of the models has,
    were never met: nothing is known of what lies there. `closed` are local functions that cannot be
    looked into, as they speak another version of the operators.
    """

    branches: tuple[str, ...] = ()
    sides: tuple[str, ...] = ()
    units: tuple[Share, ...] = ()
    ids: tuple[Share, ...] = ()
    rows: tuple[Share, ...] = ()
    closed: tuple[str, ...] = ()

    def sentence(self) -> str:
        """What was not reached, in words; empty where all of it was."""
        parts = [f"{branch} was never run" for branch in self.branches]
        parts += [f"{side} was never met" for side in self.sides[:_SIDES]]
        if len(self.sides) > _SIDES:
            parts.append(f"{len(self.sides) - _SIDES} more ends and bounds were never met")
        dead = sum(share.of - share.reached for share in self.units)
        if dead:
            layers = len(self.units)
            units, of = f"unit{'s' * (dead != 1)}", f"activation{'s' * (layers != 1)}"
            parts.append(f"{dead} {units} of {layers} {of} were off throughout")
        parts += [
            f"{share.reached} of the {share.of} ids of {share.name!r} were drawn"
            for share in self.ids
            if share.reached < share.of
        ]
        parts += [
            f"{share.reached} of the {share.of} {share.name} were reached"
            for share in self.rows[:_SIDES]
        ]
        if len(self.rows) > _SIDES:
            parts.append(
                f"{len(self.rows) - _SIDES} more tables and trees were not reached throughout"
            )
        parts += [f"{words} is not known" for words in self.closed]
        return "; ".join(parts)


@dataclass(frozen=True)
class Verification(Shown):
    """A verdict with its sentence, and the evidence.

    `as_dtype` is the half precision whose rounding of the original was the yardstick; empty where
    it was the original's own. `seconds` is how long all of it took, of the whole call; two
    verifications that differ in nothing else are equal.
    """

    verdict: Verdict
    reason: str
    original: str
    other: str
    method: str
    factor: float
    floor_ulp: float
    providers: tuple[str, ...]
    levels: tuple[str, ...]
    outputs: tuple[OutputRow, ...] = ()
    structure: tuple[StructureRow, ...] = ()
    feeds: tuple[FeedRow, ...] = ()
    decisions: tuple[DecisionRow, ...] = ()
    location: Location | None = None
    doubt: Doubt | None = None
    notes: tuple[str, ...] = ()
    coverage: Coverage | None = None
    evidence: str = ""
    seed: int = 0
    as_dtype: str = ""
    sha256: tuple[tuple[str, str], ...] = ()
    seconds: float = field(default=0.0, compare=False)

    @property
    def samples_per_second(self) -> float:
        """Sets of inputs, as `samples` counts them, by the seconds of the whole call."""
        return len(self.feeds) / self.seconds if self.seconds else 0.0

    @property
    def is_equivalent(self) -> bool:
        """Whether the models compute the same, up to rounding."""
        return self.verdict == "equivalent"

    @property
    def is_range(self) -> bool:
        """Whether there was no float64 reference to compare with."""
        return self.method.startswith(RANGE)

    @property
    def is_followed(self) -> bool:
        """Whether float64 tells what the inputs reach, though it may not be believed otherwise."""
        return not self.is_range or self.doubt is not None

    @property
    def is_same_file(self) -> bool:
        """Whether both models are the same bytes, so that the verdict tells nothing of a change."""
        return len(self.sha256) == 2 and len({digest for _, digest in self.sha256}) == 1

    def __repr__(self) -> str:
        """One line; the evidence is in the fields, and in `to_dict()`."""
        return f"<Verification {self.verdict}: {self.reason}>"

    def __bool__(self) -> bool:
        """Whether the models are equivalent: `assert bnfold.verify(a, b)` is a test."""
        return self.is_equivalent

    @property
    def exit_code(self) -> int:
        """0 equivalent, 1 different, 3 inconclusive."""
        return EXIT_CODES[self.verdict]

    @property
    def worst_ratio(self) -> float:
        """The largest ratio of all outputs and channels that were judged; 0 where none was."""
        rows = [(row.ratio, row.channel_ratio or 0.0) for row in self.outputs if row.is_judged]
        return max((max(pair) for pair in rows), default=0.0)

    def raise_if_different(self) -> None:
        """Returns where the models are equivalent.

        Raises:
            ModelsDifferError: they are different.
            InconclusiveError: it cannot be said.
        """
        if self.verdict == "different":
            raise ModelsDifferError(self.reason)
        if self.verdict == "inconclusive":
            raise InconclusiveError(self.reason)

    def rows(self) -> list[tuple[str, ...]]:
        """The table that a person needs, a tuple of cells to an output and level."""
        return [_cells(row) for row in self.outputs]

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON values, with a schema version."""
        from bnfold import __version__

        return {
            "schema_version": SCHEMA_VERSION,
            "kind": "verification",
            "bnfold_version": __version__,
            **json_form(asdict(self)),
            "sha256": dict(self.sha256),
            "is_same_file": self.is_same_file,
            "samples_per_second": self.samples_per_second,
        }


ROW_TITLES = ("output", "level", "original", "other", "ratio", "worst channel", "max diff", "")


def _cells(row: OutputRow) -> tuple[str, ...]:
    channel = ""
    if row.channel_ratio is not None and row.worst_channel is not None:
        axis = "" if row.channel_axis == 1 else f" of axis {row.channel_axis}"
        channel = f"{row.worst_channel}{axis}: {row.channel_ratio:.3g}"
    verdict = ("ok" if row.is_within else "OFF") if row.is_judged else ""
    return (
        row.name,
        row.level,
        f"{row.error_original:.1e}",
        f"{row.error_other:.1e}",
        f"{row.ratio:.3g}",
        channel,
        f"{row.max_difference:.1e}",
        f"{verdict} {row.remark}".strip(),
    )
