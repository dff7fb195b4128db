"""`bnfold inspect`: the ledger, and nothing written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bnfold.cli.bundles import settings_of
from bnfold.cli.claims import GuardedCommand, force_option
from bnfold.cli.fold_options import FoldOptions, fold_options, folded
from bnfold.cli.gate_options import (
    conclude_with,
    foldable_option,
    given_gates,
    junit_option,
    leaves_option,
    put_junit,
    tell_ci,
)
from bnfold.cli.input_types import SourceModel
from bnfold.cli.output import (
    html_option,
    json_option,
    put_page,
    put_record,
    show,
    show_record,
)
from bnfold.cli.sentence import BAD_INPUT, one_sentence
from bnfold.cli.verbosity import is_verbose, verbosity_options
from bnfold.errors import ModelError

if TYPE_CHECKING:
    from bnfold.fold.account.ledger import Ledger
    from bnfold.report.blocks import Block
    from bnfold.report.fleet_text import UnreadModel
    from bnfold.report.gates import Gate


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
@leaves_option
@foldable_option
@junit_option
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
    leaves: int | None,
    foldable: int | None,
    junit_target: Path | None,
    html_target: Path | None,
    json_target: str | None,
) -> int:
    """Tell where each batch norm of IN.onnx would go or why it stays; write nothing.

    Several models, or a pattern such as 'models/*.onnx', are told of one after another. One that
    cannot be read is told of too, and the others all the same; the exit code is then 2. It is 1
    where --leaves or --foldable does not hold.
    """
    every_row = every_row or is_verbose(ctx)
    ledgers, failed = _inspected(ctx, sources, fold_as, every_row, json_target)
    from bnfold.model_io import Together
    from bnfold.report.envelope import envelope
    from bnfold.report.fleet_text import fleet_blocks, summary_blocks
    from bnfold.report.sections import Findings

    is_one = len(sources) == 1
    named = dict(zip([""], ledgers.values(), strict=True)) if is_one else ledgers
    each = [{"path": path, **ledger.to_dict()} for path, ledger in ledgers.items()]
    several = {"models": each, "failed": [asdict(failure) for failure in failed]}
    record: dict[str, Any] = {}
    gates = _gates(named, leaves, foldable)
    title = f"bnfold inspect: {' '.join(ledgers)}"
    findings = Findings(title, named, failed=failed, gates=gates)
    said = [gate.line for gate in gates]
    with Together() as files:
        if json_target is not None:
            record = envelope(
                "inspect",
                settings={**settings_of(fold_as), **given_gates(leaves=leaves, foldable=foldable)},
                inputs=[entry for path in ledgers for entry in SourceModel().records(Path(path))],
                outputs=[],
                result=next(iter(ledgers.values())).to_dict() if is_one else several,
            )
            put_record(record, json_target, files)
        put_page(findings, html_target, files)
        put_junit(findings, junit_target, files)
    show_record(record, json_target)
    show(ctx, [*([] if is_one else summary_blocks(ledgers, failed)), *said], json_target)
    tell_ci([*fleet_blocks(named, failed, every_row=every_row), *said], gates=gates)
    return BAD_INPUT if failed else conclude_with(ctx, gates)


def _gates(ledgers: dict[str, Ledger], leaves: int | None, foldable: int | None) -> list[Gate]:
    """What was to hold, for each model; a name that is empty needs none."""
    from bnfold.report.gates import foldable_gate, leaves_gate

    gates: list[Gate] = []
    for name, ledger in ledgers.items():
        if leaves is not None:
            gates.append(leaves_gate(ledger.batch_norms_after, leaves, subject=name))
        if foldable is not None:
            could = sum(decision.is_folded for decision in ledger.batch_norms)
            gates.append(foldable_gate(could, foldable, subject=name))
    return gates


def _inspected(
    ctx: click.Context,
    sources: Sequence[Path],
    fold_as: FoldOptions,
    every_row: bool,
    json_target: str | None,
) -> tuple[dict[str, Ledger], list[UnreadModel]]:
    """The ledgers by path, and the models among several that have none; each is shown at once.

    What a file says of its model stands there before what is read, imported and proven for the
    ledger: that may take its time.

    Raises:
        BnfoldError: there is one model only, or none of them can be read.
    """
    from bnfold.report.blocks import blank
    from bnfold.report.fleet_text import UnreadModel, name_line

    is_one = len(sources) == 1
    ledgers: dict[str, Ledger] = {}
    failed: list[UnreadModel] = []
    for source in sources:
        try:
            outline = _outline(source)
            show(ctx, [*([] if is_one else [name_line(str(source))]), *outline], json_target)
            ledger = folded(ctx, source, fold_as, check=False).ledger
        except ModelError as error:
            if is_one:
                raise
            failed.append(UnreadModel(str(source), str(error)))
            click.echo(one_sentence(error), err=True)
            continue
        from bnfold.report.ledger_text import ledger_blocks

        ledgers[str(source)] = ledger
        blocks = ledger_blocks(ledger, every_row=every_row)
        show(ctx, blocks if is_one else [*blocks, blank()], json_target)
    if not ledgers:
        raise ModelError(f"none of these {len(sources)} files is a model that can be read")
    return ledgers, failed


def _outline(source: Path) -> list[Block]:
    from bnfold.model_io.outline import outline_of
    from bnfold.report.outline_text import outline_blocks

    return outline_blocks(outline_of(source))
