"""Where results go: blocks to stdout, for a person; a record to a file or stdout, for programs."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from bnfold.cli.paths import require_target
from bnfold.cli.verbosity import is_quiet
from bnfold.report.blocks import Block
from bnfold.report.plain import plain_text

STDOUT = "-"


def _checked(_ctx: click.Context, _parameter: click.Parameter, target: str | None) -> str | None:
    if target is not None and target != STDOUT:
        require_target(Path(target))
    return target


json_option = click.option(
    "--json",
    "json_target",
    metavar="FILE",
    callback=_checked,
    help="Write the record as JSON; '-' is stdout, in place of the text.",
)


def show(ctx: click.Context, blocks: Sequence[Block], json_target: str | None = None) -> None:
    """Prints the blocks, unless --quiet was given or JSON has stdout for itself."""
    if is_quiet(ctx) or json_target == STDOUT:
        return
    if sys.stdout.isatty():
        from rich.console import Console

        from bnfold.report.terminal import print_blocks

        print_blocks(blocks, Console())
    else:
        click.echo(plain_text(blocks), nl=False)


def leave_record(record: Mapping[str, Any], json_target: str | None) -> None:
    """Writes the record where --json said, if it did."""
    if json_target is not None:
        from bnfold.report.records import write_json

        write_json(record, json_target)


def note(sentence: str) -> None:
    """One sentence on stderr that is worth knowing and no error."""
    click.echo(f"bnfold: note: {sentence}", err=True)
