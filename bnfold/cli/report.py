"""`bnfold report`: a record that an earlier command left, shown again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bnfold.cli.claims import GuardedCommand, force_option
from bnfold.cli.gate_options import junit_option, put_junit
from bnfold.cli.input_types import SourceFile
from bnfold.cli.output import (
    html_option,
    markdown_option,
    plot_option,
    put_page,
    put_plot,
    put_text,
    require_plot,
    show,
)
from bnfold.cli.verbosity import is_verbose, verbosity_options
from bnfold.errors import DataError, UsageError

if TYPE_CHECKING:
    from bnfold.report.blocks import Block
    from bnfold.report.sections import Findings


@click.command(cls=GuardedCommand, epilog="Example: bnfold report report.json --html report.html")
@click.argument("record", metavar="REPORT.json", type=SourceFile())
@click.option("--all", "every_row", is_flag=True, help="Every row that there is.")
@html_option
@plot_option
@markdown_option
@junit_option
@force_option
@verbosity_options
@click.pass_context
def report(
    ctx: click.Context,
    *,
    record: Path,
    every_row: bool,
    html_target: Path | None,
    plot_target: Path | None,
    markdown_target: Path | None,
    junit_target: Path | None,
) -> None:
    """Show the record that --json of any command, or `bnfold run`, has left.

    Nothing is computed again; the text is that of the command.
    """
    from bnfold.model_io import Together
    from bnfold.report.junit import has_cases
    from bnfold.report.markdown import markdown_text
    from bnfold.report.sections import findings_of
    from bnfold.sweep.sweep_text import sweep_findings

    try:
        found = findings_of(_read(record), {"sweep": sweep_findings})
    except DataError as error:
        raise DataError(f"{record}: {error}") from error
    if junit_target is not None and not has_cases(found):
        raise UsageError(f"--junit is for folds, verdicts and timings, and {record} has none")
    require_plot(plot_target, 0 if found.bench is None else len(found.bench.models))
    with Together() as files:
        put_page(found, html_target, files)
        if found.bench is not None:
            put_plot(found.bench, plot_target, files)
        if markdown_target is not None:
            blocks = _blocks(found, every_row=every_row)
            put_text(markdown_text(blocks), markdown_target, files)
        put_junit(found, junit_target, files)
    show(ctx, _blocks(found, every_row=every_row or is_verbose(ctx)))


def _read(path: Path) -> Any:
    from bnfold.model_io import require_file

    require_file(path)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError("this is no JSON that can be read") from error


def _blocks(found: Findings, *, every_row: bool) -> list[Block]:
    from bnfold.report.blocks import Line, blank
    from bnfold.report.bottom_line import in_one_sentence

    blocks: list[Block] = [Line(found.title, "title"), blank()]
    for section in found.sections(every_row=every_row):
        blocks += [Line(f"-- {section.title.lower()}", "title"), *section.blocks, blank()]
    return [*blocks, in_one_sentence(found.bottom_line())]
