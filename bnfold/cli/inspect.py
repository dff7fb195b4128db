"""`bnfold inspect`: the ledger, and nothing written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from bnfold.cli.bundles import settings_of
from bnfold.cli.claims import GuardedCommand, force_option, input_records
from bnfold.cli.fold_options import FoldOptions, fold_options, folded
from bnfold.cli.output import (
    html_option,
    json_option,
    put_page,
    put_record,
    show,
    show_record,
)
from bnfold.cli.sources import SourceModel
from bnfold.cli.verbosity import is_verbose, verbosity_options


def _list_rules(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        from bnfold.report.rules_text import rules_blocks

        show(ctx, rules_blocks())
        ctx.exit()


def _expanded(
    _ctx: click.Context, _parameter: click.Parameter, values: tuple[Path, ...]
) -> tuple[Path, ...]:
    """The paths; a pattern that a shell has left to us is the files that fit it."""
    found: list[Path] = []
    for value in values:
        is_pattern = any(c in str(value) for c in "*?[") and not value.exists()
        root = Path(value.anchor)
        fitting = sorted(root.glob(str(value.relative_to(root)))) if is_pattern else []
        found += fitting or [value]
    return tuple(dict.fromkeys(found))


@click.command(cls=GuardedCommand, epilog="Example: bnfold inspect net.onnx --all")
@click.argument(
    "sources",
    metavar="IN.onnx [IN.onnx ...]",
    nargs=-1,
    required=True,
    type=SourceModel(),
    callback=_expanded,
)
@click.option("--all", "every_row", is_flag=True, help="A row for each batch norm, with numbers.")
@click.option(
    "--rules",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_list_rules,
    help="List the rules, as --skip and the ledger spell them, and leave.",
)
@fold_options
@html_option
@json_option
@force_option
@verbosity_options
@click.pass_context
def inspect(
    ctx: click.Context,
    *,
    sources: tuple[Path, ...],
    every_row: bool,
    fold_as: FoldOptions,
    html_target: Path | None,
    json_target: str | None,
) -> None:
    """Tell where each batch norm of IN.onnx would go or why it stays; write nothing.

    Several models, or a pattern such as 'models/*.onnx', are told of one after another.
    """
    ledgers = {str(source): folded(ctx, source, fold_as).ledger for source in sources}
    from bnfold.model_io import Together
    from bnfold.report.fleet_text import fleet_blocks
    from bnfold.report.records import envelope
    from bnfold.report.sections import Findings

    is_one = len(ledgers) == 1
    named = dict(zip([""], ledgers.values(), strict=True)) if is_one else ledgers
    findings = Findings(f"bnfold inspect: {' '.join(ledgers)}", named)
    each = [{"path": path, **ledger.to_dict()} for path, ledger in ledgers.items()]
    record: dict[str, Any] = {}
    with Together() as files:
        if json_target is not None:
            record = envelope(
                "inspect",
                settings=settings_of(fold_as),
                inputs=input_records(ctx),
                outputs=[],
                result=next(iter(ledgers.values())).to_dict() if is_one else {"models": each},
            )
            put_record(record, json_target, files)
        put_page(findings, html_target, files)
    show_record(record, json_target)
    show(ctx, fleet_blocks(named, every_row=every_row or is_verbose(ctx)), json_target)
