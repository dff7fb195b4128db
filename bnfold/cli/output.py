"""Where results go: blocks to stdout, for a person; a record to a file or stdout, for programs."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bnfold.cli.output_types import MARKDOWN, PAGE, PLOT, STDOUT, TargetRecord
from bnfold.cli.sentence import on_one_line
from bnfold.cli.verbosity import is_quiet
from bnfold.errors import UsageError
from bnfold.report.blocks import Block
from bnfold.report.plain import plain_text

if TYPE_CHECKING:
    from bnfold.bench.records import BenchResult
    from bnfold.model_io import Together
    from bnfold.report.sections import Findings

PLOTS = (".svg", ".png")
NOTED = "bnfold.noted"  # in a context's meta: the notes that were printed

json_option = click.option(
    "--json",
    "json_target",
    metavar="FILE",
    type=TargetRecord(),
    help="Write the record as JSON; '-' is stdout, in place of the text.",
)


markdown_option = click.option(
    "--markdown",
    "markdown_target",
    metavar="FILE",
    type=MARKDOWN,
    help="Write it as Markdown, for a pull request or a CI summary.",
)


html_option = click.option(
    "--html",
    "html_target",
    metavar="FILE",
    type=PAGE,
    help="Write the report as a page for a browser.",
)


plot_option = click.option(
    "--plot",
    "plot_target",
    metavar="FILE",
    type=PLOT,
    help="Draw the timings, as SVG or (with matplotlib) as PNG: every pair, the interval, and the "
    "baseline against itself.",
)


def show(ctx: click.Context, blocks: Sequence[Block], json_target: str | None = None) -> None:
    """Prints the blocks, unless --quiet was given or JSON has stdout for itself."""
    if is_quiet(ctx) or json_target == STDOUT:
        return
    is_forced = bool(os.environ.get("FORCE_COLOR"))
    if sys.stdout.isatty() or is_forced:
        from rich.console import Console

        from bnfold.report.terminal import print_blocks

        print_blocks(blocks, Console(force_terminal=True if is_forced else None))
    else:
        click.echo(plain_text(blocks), nl=False)


def conclude(ctx: click.Context, code: int, sentence: str) -> int:
    """The exit code; where it is not 0 and nothing else is printed, one line says why."""
    if code and is_quiet(ctx):
        click.echo(f"bnfold: {on_one_line(sentence)}", err=True)
    return code


def put_text(text: str, target: Path, files: Together) -> None:
    """The text will be at the target; what is no file, such as /dev/null, gets it at once."""
    put_bytes(text.encode("utf-8"), target, files)


def put_bytes(content: bytes, target: Path, files: Together) -> None:
    """The content will be at the target, as with a text."""
    from bnfold.model_io import naming

    if target.exists() and not target.is_file():
        with naming(target):
            target.write_bytes(content)
    else:
        files.write(target, content)


def put_record(record: Mapping[str, Any], json_target: str | None, files: Together) -> None:
    """The record will be where --json said, if it said a file."""
    if json_target not in (None, STDOUT):
        from bnfold.report.envelope import to_json

        put_text(to_json(record), Path(str(json_target)), files)


def put_page(findings: Findings, html_target: Path | None, files: Together) -> None:
    """The page will be where --html said, if it said so."""
    if html_target is not None:
        from bnfold.report.html import html_page

        put_text(html_page(findings), html_target, files)


def require_plot(plot_target: Path | None, models: int) -> None:
    """Returns where --plot was not given, or asks for what can be drawn of so many models.

    Raises:
        UsageError: the file is to be neither SVG nor PNG, or nothing is compared.
        MissingDependencyError: a PNG needs what is not installed.
    """
    if plot_target is None:
        return
    if plot_target.suffix.lower() not in PLOTS:
        raise UsageError(f"--plot {plot_target}: a plot is SVG or PNG; name it so: plot.svg")
    if models < 2:
        raise UsageError("--plot draws comparisons of models, and there are none here")
    if plot_target.suffix.lower() == ".png":
        from bnfold.report.plot_png import require_matplotlib

        require_matplotlib()


def put_plot(bench: BenchResult, plot_target: Path | None, files: Together) -> None:
    """The drawing will be where --plot said, if it said so."""
    if plot_target is None:
        return
    if plot_target.suffix.lower() == ".png":
        from bnfold.report.plot_png import plot_png

        put_bytes(plot_png(bench.comparisons), plot_target, files)
    else:
        from bnfold.report.plot import plot_svg

        put_text(plot_svg(bench.comparisons), plot_target, files)


def show_record(record: Mapping[str, Any], json_target: str | None) -> None:
    """Prints the record where --json said `-`."""
    if json_target == STDOUT:
        from bnfold.report.envelope import to_json

        sys.stdout.write(to_json(record))


def note(ctx: click.Context, sentence: str) -> None:
    """One sentence on stderr that is worth knowing and no error; once, and not with --quiet."""
    noted = ctx.meta.setdefault(NOTED, set())
    line = f"bnfold: note: {on_one_line(sentence)}"
    if line not in noted and not is_quiet(ctx):
        click.echo(line, err=True)
    noted.add(line)
