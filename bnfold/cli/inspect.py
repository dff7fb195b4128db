"""`bnfold inspect`: the ledger, and nothing written."""

from __future__ import annotations

from pathlib import Path

import click

from bnfold.cli.bundles import settings_of
from bnfold.cli.claims import GuardedCommand, force_option, input_records
from bnfold.cli.fold_options import FoldOptions, fold_options, folded
from bnfold.cli.output import json_option, put_record, show, show_record
from bnfold.cli.sources import SourceModel
from bnfold.cli.verbosity import is_verbose, verbosity_options


def _list_rules(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        from bnfold.report.rules_text import rules_blocks

        show(ctx, rules_blocks())
        ctx.exit()


@click.command(cls=GuardedCommand, epilog="Example: bnfold inspect net.onnx --all")
@click.argument("source", metavar="IN.onnx", type=SourceModel())
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
@json_option
@force_option
@verbosity_options
@click.pass_context
def inspect(
    ctx: click.Context,
    *,
    source: Path,
    every_row: bool,
    fold_as: FoldOptions,
    json_target: str | None,
) -> None:
    """Tell where each batch norm of IN.onnx would go or why it stays; write nothing."""
    result = folded(ctx, source, fold_as)
    from bnfold.report.ledger_text import ledger_blocks

    if json_target is not None:
        from bnfold.model_io import Together
        from bnfold.report.records import envelope

        record = envelope(
            "inspect",
            settings=settings_of(fold_as),
            inputs=input_records(ctx),
            outputs=[],
            result=result.ledger.to_dict(),
        )
        with Together() as files:
            put_record(record, json_target, files)
        show_record(record, json_target)
    show(ctx, ledger_blocks(result.ledger, every_row=every_row or is_verbose(ctx)), json_target)
