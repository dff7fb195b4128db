"""What a command found, as the parts of one report; the same from a run and from its record."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from bnfold.errors import DataError
from bnfold.record import SCHEMA_VERSION, read_as
from bnfold.report.bench_text import bench_blocks
from bnfold.report.blocks import Block, Line
from bnfold.report.bottom_line import bottom_line
from bnfold.report.export_text import export_blocks
from bnfold.report.fleet_text import UnreadModel, unread_line
from bnfold.report.ledger_text import ledger_blocks
from bnfold.report.verification_text import verification_blocks

if TYPE_CHECKING:
    from bnfold.bench.records import BenchResult
    from bnfold.fold.account.ledger import Ledger
    from bnfold.report.export_facts import ExportFacts
    from bnfold.report.gates import Gate
    from bnfold.verify.records import Verification


@dataclass(frozen=True)
class Section:
    """A part of a report under a heading of its own."""

    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Findings:
    """What there is to report; what is None was not asked for.

    Attributes:
        title: of the whole.
        ledgers: by model; a name that is empty needs none.
        verification, bench, int8, export: as they are; `int8` is a timing too.
        failed: the models that could not be read.
        remarks: what there is to say of the one fold beside its ledger.
        others: parts that are made already, of commands that know their own report; and `said`,
            their bottom line.
        gates: what was to hold, where the record tells.
    """

    title: str = "bnfold report"
    ledgers: Mapping[str, Ledger] | None = None
    verification: Verification | None = None
    bench: BenchResult | None = None
    int8: BenchResult | None = None
    export: ExportFacts | None = None
    failed: Sequence[UnreadModel] = ()
    remarks: Sequence[str] = ()
    others: Sequence[Section] = ()
    said: Sequence[Line] = ()
    gates: Sequence[Gate] = ()

    def sections(self, *, every_row: bool = False) -> list[Section]:
        """The parts, in the order of the work."""
        found: list[Section] = []
        if self.export is not None:
            found.append(Section("Export", export_blocks(self.export)))
        for name, ledger in (self.ledgers or {}).items():
            title = f"Fold of {name}" if name else "Fold"
            blocks = [*ledger_blocks(ledger, every_row=every_row), *map(Line, self.remarks)]
            found.append(Section(title, blocks))
        if self.verification is not None:
            blocks = verification_blocks(self.verification, every_row=every_row)
            found.append(Section("Verification", blocks))
        if self.bench is not None:
            found.append(Section("Speed", bench_blocks(self.bench, every_row=every_row)))
        if self.int8 is not None:
            found.append(Section("Speed in int8", bench_blocks(self.int8, every_row=every_row)))
        return [*found, *self.others]

    @property
    def subject(self) -> str:
        """The models that a report of one step is about, as it names them; else empty."""
        ledgers = self.ledgers or {}
        if self.bench is not None and not ledgers:
            return " ".join(model.name for model in self.bench.models)
        if self.verification is not None and not ledgers:
            return f"{self.verification.original} {self.verification.other}"
        if self.export is not None and not ledgers:
            return self.export.source
        return " ".join(ledgers)

    def bottom_line(self) -> list[Line]:
        """What a reader takes away."""
        lines = bottom_line((self.ledgers or {}).values(), self.verification, self.bench)
        return [*lines, *map(unread_line, self.failed), *self.said]


Reader = Callable[[Mapping[str, Any]], Findings]
"""From a record's result to what there is to report."""


def findings_of(record: Any, readers: Mapping[str, Reader] | None = None) -> Findings:
    """What a record of any command holds; `readers` are for commands above this package, by name.

    Raises:
        DataError: it is none, or of another version.
    """
    if not isinstance(record, Mapping) or not isinstance(record.get("tool"), Mapping):
        raise DataError("this is no record of bnfold")
    if record["tool"].get("name") != "bnfold":
        raise DataError("this is no record of bnfold")
    if record.get("schema_version") != SCHEMA_VERSION:
        version = record.get("schema_version")
        raise DataError(f"this record has version {version}; {SCHEMA_VERSION} is understood")
    envelope = read_as(_Record, record)
    reader = (readers or {}).get(envelope.command)
    found = findings("", envelope.parts()) if reader is None else reader(envelope.result)
    source = envelope.settings.get("source") or "".join(i.path for i in envelope.inputs[:1])
    # of a fleet no model is the subject
    subject = found.subject or (source if reader is None else "")
    return replace(found, title=f"bnfold {envelope.command}: {subject}".removesuffix(": "))


@dataclass(frozen=True)
class _Input:
    path: str


@dataclass(frozen=True)
class _Record:
    """The envelope of every record."""

    command: str
    result: Mapping[str, Any]
    inputs: tuple[_Input, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)

    def parts(self) -> Mapping[str, Any]:
        """The result's parts, as those of a run.

        Raises:
            DataError: there is no report of this command.
        """
        if self.command == "run":
            return self.result
        if self.command in ("verify", "bench", "export"):
            return {self.command: self.result}
        if self.command not in ("fold", "inspect"):
            raise DataError(f"this is a record of {self.command!r}, which has no report")
        if "models" in self.result:
            return {"folds": self.result["models"], "failed": self.result.get("failed", [])}
        if "verification" in self.result:
            return {"fold": self.result, "verify": self.result["verification"]}
        return {"fold": self.result}


def findings(title: str, parts: Mapping[str, Any]) -> Findings:
    """The parts `export`, `fold`, `verify` and `bench` of a record's result, those that there are.

    Raises:
        DataError: a part is not what it should be.
    """
    from bnfold.bench.records import BenchResult
    from bnfold.fold.account.ledger import Ledger
    from bnfold.report.export_facts import ExportFacts

    ledgers = {}
    if "fold" in parts:
        ledgers[""] = read_as(Ledger, parts["fold"], where="fold")
    for entry in parts.get("folds", []):
        path = read_as(_Input, entry, where="models").path
        ledgers[path] = read_as(Ledger, entry, where=path)
    steps = ("verify", "bench", "int8", "export")
    verification, bench, int8, export = (parts.get(name) for name in steps)
    return Findings(
        title,
        ledgers or None,
        None if verification is None else _verification(verification),
        None if bench is None else read_as(BenchResult, bench, where="bench"),
        None if int8 is None else read_as(BenchResult, int8, where="int8"),
        None if export is None else read_as(ExportFacts, export, where="export"),
        read_as(tuple[UnreadModel, ...], parts.get("failed", []), where="failed"),
        read_as(tuple[str, ...], parts.get("fold", {}).get("remarks", []), where="remarks"),
    )


def _verification(part: Any) -> Verification:
    from bnfold.verify.records import Verification

    found = read_as(Verification, part, where="verify")
    if part.get("is_same_file") and len(found.sha256) == 1:
        return replace(found, sha256=found.sha256 * 2)  # one name, twice: a mapping has it once
    return found
