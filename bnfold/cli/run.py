"""`bnfold run`: export, fold, verify, bench, and one report of it all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bnfold.cli.bench_options import BenchOptions, bench_options, measured
from bnfold.cli.bundles import settings_of
from bnfold.cli.claims import GuardedCommand, force_option, input_records
from bnfold.cli.data_options import samples_option, save_data_option
from bnfold.cli.dimensions import parse_dims
from bnfold.cli.export_options import ExportOptions, export_options, exported, parse_dynamic
from bnfold.cli.fold_options import FoldOptions, compared_with, fold_options, folded
from bnfold.cli.gate_options import (
    conclude_with,
    fail_if_slower_option,
    given_gates,
    junit_option,
    leaves_option,
    put_junit,
    tell_ci,
)
from bnfold.cli.input_types import SourceNetwork
from bnfold.cli.output import put_page, put_text, show
from bnfold.cli.output_types import TargetRunFolder
from bnfold.cli.placed import Placed
from bnfold.cli.verbosity import is_verbose, verbosity_options
from bnfold.cli.verify_options import VerifyOptions, verified
from bnfold.errors import DataError, UsageError

if TYPE_CHECKING:
    from bnfold.bench.records import BenchResult
    from bnfold.export.records import ExportResult
    from bnfold.model_io import Together
    from bnfold.report.blocks import Block
    from bnfold.report.gates import Gate
    from bnfold.run.records import RunResult


@click.command(
    cls=GuardedCommand,
    epilog="Example: bnfold run net.py:build -o results --input x:1,3,224,224",
)
@click.argument("source", metavar="SPEC-OR-MODEL", type=SourceNetwork())
@click.option(
    "-o",
    "--output",
    "folder",
    metavar="DIR",
    required=True,
    type=TargetRunFolder(),
    help="Where the models and the report go; it is made if need be.",
)
@export_options
@fold_options
@samples_option
@save_data_option
@bench_options
@click.option("--no-bench", "is_untimed", is_flag=True, help="Leave the timing out.")
@leaves_option
@fail_if_slower_option
@junit_option
@force_option
@verbosity_options
@click.pass_context
def run(
    ctx: click.Context,
    *,
    source: str,
    folder: Path,
    export_as: ExportOptions,
    fold_as: FoldOptions,
    samples: int | None,
    save_data: Path | None,
    bench_as: BenchOptions,
    is_untimed: bool,
    leaves: int | None,
    fail_if_slower: float | None,
    junit_target: Path | None,
) -> int:
    """Export, fold, verify and bench, into one folder with one report.

    DIR gets original.onnx (where SPEC-OR-MODEL is not an ONNX file already), folded.onnx,
    report.json and report.html: all at once at the end, in place of those of an earlier run. A
    model that comes out different is neither timed nor left there.
    Exit code 0: equivalent, 1: different, or a gate does not hold, 3: the verdict or the timing
    is inconclusive.
    """
    from bnfold.model_io import Together

    with _made(folder), Together() as files:
        verify_as = VerifyOptions(
            bench_as.data,
            samples,
            bench_as.seed,
            providers=bench_as.providers,
            dims=bench_as.dims,
            custom_ops=bench_as.custom_ops,
            save_data=save_data,
        )
        wanted = _Wanted(not is_untimed, leaves, fail_if_slower, junit_target)
        tour = _Tour(ctx, source, folder, files, export_as, fold_as, verify_as, bench_as, wanted)
        tour.check()
        found, blocks = tour.go()
    tour.say("report", blocks)
    tell_ci(tour.shown, verification=found.verification, gates=tour.gates)
    # A gate on time says more than that some timing is open.
    is_gated = fail_if_slower is not None and not found.verification.exit_code
    code = 0 if is_gated else found.exit_code
    return conclude_with(ctx, tour.gates, code, found.reason)


@dataclass(frozen=True)
class _Wanted:
    """Which steps, and what is to hold."""

    is_timed: bool
    leaves: int | None
    fail_if_slower: float | None
    junit: Path | None


@contextmanager
def _made(folder: Path) -> Iterator[None]:
    """The folder exists; if it is new and nothing gets into it, it goes again."""
    is_new = not folder.exists()
    folder.mkdir(exist_ok=True)
    try:
        yield
    finally:
        if is_new and not any(folder.iterdir()):
            folder.rmdir()


@dataclass(frozen=True)
class _Tour:
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
    wanted: _Wanted
    gates: list[Gate] = field(default_factory=list)
    shown: list[Block] = field(default_factory=list)

    def check(self) -> None:
        """Returns where the options make sense, before minutes are spent on the first of them.

        Raises:
            UsageError: an option makes no sense for this source.
            DataError: there is no such data.
            ProviderUnavailableError: a provider does not run here.
        """
        from bnfold.fold.rules import allowed
        from bnfold.runtime.sessions import require_setting

        allowed(self.fold_as.allow)
        require_setting(self.bench_as.providers, self.bench_as.levels)
        if self.wanted.fail_if_slower is not None and not self.wanted.is_timed:
            raise UsageError("--fail-if-slower is about time, and --no-bench leaves it out")
        data = self.verify_as.data
        if data is not None and not data.exists():
            raise DataError(f"{data}: no such file or folder")
        parse_dims(self.bench_as.dims)
        parse_dynamic(self.export_as.dynamic)
        if not _is_spec(self.source) and self.export_as != ExportOptions():
            raise UsageError(
                f"{self.source} is an ONNX file already: --weights, --input, --dynamic, "
                "--opset, --fp16 and --trust are for exports"
            )

    def go(self) -> tuple[RunResult, list[Block]]:
        """What came out, and what there is to say last; all is done and written aside."""
        from bnfold.report import envelope
        from bnfold.report.gates import leaves_gate
        from bnfold.report.ledger_text import ledger_blocks
        from bnfold.report.verification_text import verification_blocks
        from bnfold.run.records import RunResult

        export, original = self._original()
        every_row = is_verbose(self.ctx)
        inputs, outputs = input_records(self.ctx), []
        if _is_spec(self.source):
            outputs.append(envelope.model_record(self._at("original.onnx"), at=original))

        fold = folded(self.ctx, original, self.fold_as)
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
                bench, int8 = self._timed(original, target)
        found = RunResult(self.source, export, fold, verification, bench, self._settings(), int8)
        return found, self._report(found, inputs, outputs)

    def _timed(self, original: Path, target: Path) -> tuple[BenchResult, BenchResult | None]:
        """The models timed as they are, and in int8 where calibration data was given."""
        from bnfold.report.bench_text import bench_blocks
        from bnfold.report.gates import speed_gates

        limit, every_row = self.wanted.fail_if_slower, is_verbose(self.ctx)
        plain = replace(self.bench_as, int8=None, labels=None)
        bench = measured(self.ctx, [original, target], plain)
        gates = [] if limit is None else [*speed_gates(bench, limit)]
        self.gates.extend(gates)
        self.say("bench", [*bench_blocks(bench, every_row=every_row), *(g.line for g in gates)])
        if self.bench_as.int8 is None:
            return bench, None
        int8 = measured(self.ctx, [original, target], self.bench_as)
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
        export = replace(exported(self.ctx, self.source, aside, self.export_as), path=target)
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
        title, junit = f"bnfold run {self.source}", self.wanted.junit
        put_junit(title, junit, self.files, verification=run.verification, gates=self.gates)
        if run.verification.verdict == "different":
            blocks.append(Line(f"{self._at('folded.onnx')} was not written", "bad"))
        return [*blocks, in_one_sentence(found.bottom_line())]


def _is_spec(source: str) -> bool:
    from bnfold.run.original import is_network

    return is_network(source)
