"""The steps of `bnfold run`, one after the other, each told as it ends."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bnfold.cli.bench_options import BenchOptions
from bnfold.cli.bundles import settings_of
from bnfold.cli.data_options import require_data
from bnfold.cli.dimensions import parse_dims
from bnfold.cli.export_options import ExportOptions, exported, parse_dynamic
from bnfold.cli.fold_options import FoldOptions, compared_with, folded
from bnfold.cli.gate_options import given_gates, put_junit
from bnfold.cli.given import input_records
from bnfold.cli.measured import measured, read_labels
from bnfold.cli.output import put_page, put_text, show
from bnfold.cli.output_folders import TargetRunFolder
from bnfold.cli.placed import Placed
from bnfold.cli.verbosity import is_verbose
from bnfold.cli.verify_options import VerifyOptions, verified
from bnfold.errors import UsageError

if TYPE_CHECKING:
    from bnfold.bench.records import BenchResult
    from bnfold.export.records import ExportResult
    from bnfold.model_io import Together
    from bnfold.report.blocks import Block
    from bnfold.report.gates import Gate
    from bnfold.run.records import RunResult


@dataclass(frozen=True)
class Wanted:
    """Which steps, and what is to hold."""

    is_timed: bool
    leaves: int | None
    fail_if_slower: float | None
    junit: Path | None


@dataclass(frozen=True)
class RunSteps:
    """One run: where from, where to, and what was asked of each step.

    The lists fill: `gates` with what was to hold, `shown` with what was printed.
    """

    ctx: click.Context
    source: str
    folder: Path
    files: Together
    export_as: ExportOptions
    fold_as: FoldOptions
    verify_as: VerifyOptions
    bench_as: BenchOptions
    wanted: Wanted
    gates: list[Gate] = field(default_factory=list)
    shown: list[Block] = field(default_factory=list)

    def check(self) -> None:
        """Returns where the options make sense, before minutes are spent on the first of them.

        Raises:
            UsageError: an option makes no sense for this source.
            DataError: there is no such data.
            ProviderUnavailableError: a provider does not run here.
        """
        from bnfold.bench.asked import LEVELS
        from bnfold.fold.rules import allowed
        from bnfold.runtime.sessions import require_setting

        allowed(self.fold_as.allow)
        require_setting(
            self.bench_as.providers,
            self.bench_as.levels or LEVELS,
            [str(library) for library in self.bench_as.custom_ops],
        )
        if self.wanted.fail_if_slower is not None and not self.wanted.is_timed:
            raise UsageError("--fail-if-slower is about time, and --no-bench leaves it out")
        if self.bench_as.labels is not None:
            read_labels(self.bench_as.labels)
        parse_dims(self.bench_as.dims)
        parse_dynamic(self.export_as.dynamic)
        if not _is_spec(self.source) and self.export_as != ExportOptions():
            raise UsageError(
                f"{self.source} is an ONNX file already: --weights, --input, --dynamic, "
                "--opset, --fp16 and --trust are for exports"
            )
        if not _is_spec(self.source):
            self._require_room()

    def _require_room(self) -> None:
        """Returns where the sessions of the comparison fit, and the three of the timing."""
        from bnfold import model_io
        from bnfold.bench.asked import LEVELS
        from bnfold.runtime.large import levels_for
        from bnfold.typed.room import require_room_to_open

        files = model_io.files_of(Path(self.source))
        size_bytes = sum(file.stat().st_size for file in files if file.is_file())
        require_room_to_open([size_bytes], levels_for(size_bytes, LEVELS), self.source)
        if self.wanted.is_timed:
            levels = levels_for(size_bytes, LEVELS, self.bench_as.levels)
            require_room_to_open([size_bytes] * 3, levels, self.source)

    def go(self) -> tuple[RunResult, list[Block]]:
        """What came out, and what there is to say last; all is done and written aside."""
        from bnfold import model_io
        from bnfold.report import envelope
        from bnfold.report.gates import leaves_gate
        from bnfold.report.ledger_text import ledger_blocks
        from bnfold.report.verification_text import verification_blocks
        from bnfold.run.records import RunResult

        export, original = self._original()
        require_data(original, self.verify_as.data, self.bench_as.int8)
        every_row = is_verbose(self.ctx)
        inputs, outputs = input_records(self.ctx), []
        if _is_spec(self.source):
            outputs.append(envelope.model_record(self._at("original.onnx"), at=original))

        if not self.verify_as.custom_ops:
            model_io.refuse_foreign(model_io.load(original), self.source)
        fold = folded(self.ctx, original, self.fold_as, custom_ops=self.verify_as.custom_ops)
        if self.wanted.leaves is not None:
            self.gates.append(leaves_gate(fold.ledger.batch_norms_after, self.wanted.leaves))
        blocks = ledger_blocks(fold.ledger, every_row=every_row)
        self.say("fold", [*blocks, *(gate.line for gate in self.gates)])
        target = self.files.aside(self._at("folded.onnx"))
        fold.save(target)

        verify_as = self.verify_as
        if verify_as.save_data is not None:
            verify_as = replace(verify_as, save_data=self.files.aside(verify_as.save_data))
        verification = verified(self.ctx, compared_with(original, self.fold_as), target, verify_as)
        self.say("verify", verification_blocks(verification, every_row=every_row))
        bench = int8 = None
        if verification.verdict == "different":
            self.files.drop(self._at("folded.onnx"))
        else:
            outputs.append(envelope.model_record(self._at("folded.onnx"), at=target))
            if self.wanted.is_timed:
                bench, int8 = self._timed(original, target, export)
        found = RunResult(self.source, export, fold, verification, bench, self._settings(), int8)
        return found, self._report(found, inputs, outputs)

    def _timed(
        self, original: Path, target: Path, export: ExportResult | None
    ) -> tuple[BenchResult, BenchResult | None]:
        """The models timed as they are, and in int8 where calibration data was given."""
        from bnfold.report.bench_text import bench_blocks
        from bnfold.report.gates import speed_gates

        limit, every_row = self.wanted.fail_if_slower, is_verbose(self.ctx)
        plain = replace(self.bench_as, int8=None, labels=None)
        models, usual = [original, target], None if export is None else export.by_default
        bench = measured(self.ctx, models, plain, exported=usual)
        gates = [] if limit is None else [*speed_gates(bench, limit)]
        self.gates.extend(gates)
        self.say("bench", [*bench_blocks(bench, every_row=every_row), *(g.line for g in gates)])
        if self.bench_as.int8 is None:
            return bench, None
        int8 = measured(self.ctx, models, self.bench_as, exported=usual)
        self.say("bench in int8", bench_blocks(int8, every_row=every_row))
        return bench, int8

    def say(self, title: str, blocks: list[Block]) -> None:
        """A part of the report, on stdout."""
        from bnfold.report.blocks import Line, blank

        shown = self._placed.blocks(blocks)
        part = [Line(f"-- {title}", "title"), *shown, blank()]
        self.shown.extend(part)
        show(self.ctx, part)

    def _settings(self) -> dict[str, Any]:
        return {
            "source": self.source,
            "export": settings_of(self.export_as),
            "fold": settings_of(self.fold_as),
            "verify": settings_of(self.verify_as),
            "bench": settings_of(self.bench_as) if self.wanted.is_timed else None,
            **given_gates(leaves=self.wanted.leaves, fail_if_slower=self.wanted.fail_if_slower),
        }

    def _at(self, name: str) -> Path:
        return self.folder / name

    @property
    def _placed(self) -> Placed:
        """Speaks of files by where they will be."""
        names = TargetRunFolder.MODELS
        return Placed({str(self.files.aside(self._at(n))): str(self._at(n)) for n in names})

    def _original(self) -> tuple[ExportResult | None, Path]:
        """The ONNX file to fold: the one that was named, or an export of what was named."""
        if not _is_spec(self.source):
            return None, Path(self.source)
        from bnfold.report.export_text import export_blocks

        target = self._at("original.onnx")
        aside = self.files.aside(target)
        is_timed = self.wanted.is_timed
        found = exported(self.ctx, self.source, aside, self.export_as, by_default=is_timed)
        export = replace(found, path=target)
        self.say("export", export_blocks(export))
        return export, aside

    def _report(
        self, run: RunResult, inputs: list[dict[str, Any]], outputs: list[dict[str, Any]]
    ) -> list[Block]:
        """Writes the record and the page aside; whatever else an earlier run has left will go."""
        from bnfold.report import envelope
        from bnfold.report.blocks import Line
        from bnfold.report.bottom_line import in_one_sentence
        from bnfold.report.sections import findings

        result = self._placed.values(run.to_dict())
        record = envelope.envelope(
            "run", settings=run.settings, inputs=inputs, outputs=outputs, result=result
        )
        found = findings(f"bnfold run: {self.source}", result)
        json_file, page = self._at("report.json"), self._at("report.html")
        put_text(envelope.to_json(record), json_file, self.files)
        put_page(found, page, self.files)
        for path in TargetRunFolder().files(self.folder):
            self.files.remove(path)
        blocks: list[Block] = [Line(str(path)) for path in (json_file, page)]
        put_junit(replace(found, gates=self.gates), self.wanted.junit, self.files)
        if run.verification.verdict == "different":
            blocks.append(Line(f"{self._at('folded.onnx')} was not written", "bad"))
        return [*blocks, in_one_sentence(found.bottom_line())]


def _is_spec(source: str) -> bool:
    from bnfold.run.original import is_network

    return is_network(source)
