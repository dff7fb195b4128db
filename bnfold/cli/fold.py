"""`bnfold fold`: fold, account for each batch norm, verify where asked, write."""

from __future__ import annotations

from pathlib import Path

import click

from bnfold.cli.fold_options import FoldOptions, fold_options, folded
from bnfold.cli.output import json_option, leave_record, show
from bnfold.cli.paths import require_target
from bnfold.cli.progress import progress
from bnfold.cli.verbosity import is_verbose, verbosity_options
from bnfold.errors import UsageError


@click.command()
@click.argument("source", metavar="IN.onnx", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    metavar="OUT.onnx",
    type=click.Path(path_type=Path),
    help="Where the folded model goes; may be IN.onnx itself.",
)
@click.option("--dry-run", is_flag=True, help="Fold and print, but write no model.")
@click.option(
    "--verify",
    "is_verified",
    is_flag=True,
    help="Compare the folded model with IN.onnx first; a different one is not written.",
)
@click.option("--all", "every_row", is_flag=True, help="A row for each batch norm, with numbers.")
@fold_options
@json_option
@verbosity_options
@click.pass_context
def fold(
    ctx: click.Context,
    *,
    source: Path,
    output: Path | None,
    dry_run: bool,
    is_verified: bool,
    every_row: bool,
    allow: tuple[str, ...],
    skip: tuple[str, ...],
    strict: bool,
    simplify: bool,
    json_target: str | None,
) -> int:
    """Fold every batch norm of IN.onnx that can be folded exactly, and account for the rest."""
    target = None if dry_run else _target(output)
    options = FoldOptions(allow, skip, strict, simplify)
    result = folded(ctx, source, options)

    import bnfold
    from bnfold.report import records
    from bnfold.report.blocks import Line, blank
    from bnfold.report.ledger_text import ledger_blocks, written_line
    from bnfold.report.verification_text import verification_blocks

    every_row = every_row or is_verbose(ctx)
    blocks = [*ledger_blocks(result.ledger, every_row=every_row)]
    found = result.ledger.to_dict()
    inputs = [] if json_target is None else [records.model_record(source)]  # before OUT replaces IN
    code = 0
    if is_verified:
        with progress(ctx, "verifying") as bar:
            verification = bnfold.verify(source, result.model, progress=bar)
        blocks += [blank(), *verification_blocks(verification, every_row=every_row)]
        found = {**found, "verification": verification.to_dict()}
        code = verification.exit_code
    if target is not None and code == 1:
        blocks += [blank(), Line(f"{target} was not written", "bad")]
        target = None
    if target is not None:
        result.save(target)
        blocks += [blank(), written_line(str(target), result.ledger)]
    show(ctx, blocks, json_target)
    if json_target is not None:
        outputs = [] if target is None else [records.model_record(target)]
        settings = {**options.to_dict(), "dry_run": dry_run, "verify": is_verified}
        record = records.envelope(
            "fold", settings=settings, inputs=inputs, outputs=outputs, result=found
        )
        leave_record(record, json_target)
    return code


def _target(output: Path | None) -> Path:
    if output is None:
        raise UsageError("say where the folded model goes with -o OUT.onnx, or add --dry-run")
    return require_target(output)
