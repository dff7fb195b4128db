"""`bnfold run`: export, fold, verify, bench, and one report of it all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bnfold.cli.bench_options import BenchOptions, bench_options, measured
from bnfold.cli.border import LEFT
from bnfold.cli.bundles import settings_of
from bnfold.cli.export_options import ExportOptions, export_options, exported
from bnfold.cli.fold_options import FoldOptions, fold_options, folded
from bnfold.cli.output import show
from bnfold.cli.paths import require_folder
from bnfold.cli.verbosity import is_verbose, verbosity_options
from bnfold.cli.verify_options import VerifyOptions, data_option, samples_option, verified
from bnfold.errors import UsageError

if TYPE_CHECKING:
    from bnfold.report.blocks import Block

DIFFERENT = 1
INCONCLUSIVE = 3


@click.command()
@click.argument("source", metavar="SPEC-OR-MODEL")
@click.option(
    "-o",
    "--output",
    "folder",
    metavar="DIR",
    required=True,
    type=click.Path(path_type=Path),
    help="Where the models and the report go; it is made if need be.",
)
@export_options
@fold_options
@data_option
@samples_option
@bench_options
@verbosity_options
@click.pass_context
def run(
    ctx: click.Context,
    *,
    source: str,
    folder: Path,
    export_as: ExportOptions,
    fold_as: FoldOptions,
    data: Path | None,
    samples: int | None,
    bench_as: BenchOptions,
) -> int:
    """Export, fold, verify and bench, into one folder with one report.

    DIR gets original.onnx (where SPEC-OR-MODEL is not an ONNX file already), folded.onnx,
    report.json, and report.html where jinja2 is installed. A model that comes out different is
    not timed. Exit code 0: equivalent, 1: different, 3: the verdict or the timing is
    inconclusive.
    """
    verify_as = VerifyOptions(
        data, samples, bench_as.seed, provider=bench_as.providers[0], dims=bench_as.dims
    )
    tour = _Tour(ctx, source, folder, export_as, fold_as, verify_as, bench_as)
    ctx.meta[LEFT] = f"what {folder} has by now stays there"
    with _made(folder):
        return tour.go()


@contextmanager
def _made(folder: Path) -> Iterator[None]:
    """The folder exists; if it is new and nothing gets into it, it goes again."""
    if folder.exists():
        require_folder(folder)
        yield
        return
    require_folder(folder.parent)
    folder.mkdir()
    try:
        yield
    finally:
        if not any(folder.iterdir()):
            folder.rmdir()


@dataclass(frozen=True)
class _Tour:
    """One run: where from, where to, and what was asked of each step."""

    ctx: click.Context
    source: str
    folder: Path
    export_as: ExportOptions
    fold_as: FoldOptions
    verify_as: VerifyOptions
    bench_as: BenchOptions

    def go(self) -> int:
        """The exit code, when all is done and written."""
        from bnfold.report import records
        from bnfold.report.bench_text import bench_blocks
        from bnfold.report.ledger_text import ledger_blocks
        from bnfold.report.verification_text import verification_blocks

        result: dict[str, Any] = {}
        original = self._original(result)
        every_row = is_verbose(self.ctx)
        inputs = [] if original.parent == self.folder else [records.model_record(original)]

        fold = folded(self.ctx, original, self.fold_as)
        self._say("fold", ledger_blocks(fold.ledger, every_row=every_row))
        target = self.folder / "folded.onnx"
        fold.save(target)
        result["fold"] = fold.ledger.to_dict()

        verification = verified(self.ctx, original, target, self.verify_as)
        self._say("verify", verification_blocks(verification, every_row=every_row))
        result["verify"] = verification.to_dict()

        code = verification.exit_code
        if code != DIFFERENT:
            bench = measured(self.ctx, [original, target], self.bench_as)
            self._say("bench", bench_blocks(bench, every_row=every_row))
            result["bench"] = bench.to_dict()
            code = code or (0 if bench.is_conclusive else INCONCLUSIVE)
        made = [target] if inputs else [original, target]
        self._write_report(result, inputs, [records.model_record(path) for path in made])
        return code

    def _original(self, result: dict[str, Any]) -> Path:
        """The ONNX file to fold: the one that was named, or an export of what was named."""
        if not _is_spec(self.source):
            if self.export_as != ExportOptions():
                raise UsageError(
                    f"{self.source} is an ONNX file already: --weights, --input, --dynamic, "
                    "--opset and --fp16 are for exports"
                )
            return Path(self.source)
        from bnfold.report.export_text import export_blocks

        target = self.folder / "original.onnx"
        export = exported(self.ctx, self.source, target, self.export_as)
        self._say("export", export_blocks(export))
        result["export"] = export.to_dict()
        return target

    def _say(self, title: str, blocks: list[Block]) -> None:
        from bnfold.report.blocks import Line, blank

        show(self.ctx, [Line(f"-- {title}", "title"), *blocks, blank()])

    def _write_report(
        self, result: dict[str, Any], inputs: list[dict[str, Any]], outputs: list[dict[str, Any]]
    ) -> None:
        from bnfold.report import records
        from bnfold.report.blocks import Line
        from bnfold.report.html import write_html

        settings = {
            "source": self.source,
            "export": settings_of(self.export_as),
            "fold": settings_of(self.fold_as),
            "verify": settings_of(self.verify_as),
            "bench": settings_of(self.bench_as),
        }
        record = records.envelope(
            "run", settings=settings, inputs=inputs, outputs=outputs, result=result
        )
        written = [self.folder / "report.json"]
        records.write_json(record, str(written[0]))
        if find_spec("jinja2") is not None:
            written.append(self.folder / "report.html")
            write_html(
                written[1],
                title=f"bnfold: {self.source}",
                ledger=result["fold"],
                verification=result["verify"],
                bench=result.get("bench"),
            )
        self._say("report", [Line(str(path)) for path in written])


def _is_spec(source: str) -> bool:
    """Whether this names code or a program to export, and not an ONNX file."""
    return source.endswith(".pt2") or (":" in source and not Path(source).exists())
