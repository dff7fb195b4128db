"""`bnfold fold`: fold, account for each batch norm, verify where asked, write."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from bnfold.cli.bundles import settings_of
from bnfold.cli.claims import GuardedCommand, force_option
from bnfold.cli.data_options import custom_ops_option, data_option, require_data
from bnfold.cli.export_options import for_option
from bnfold.cli.fold_options import FoldOptions, compared_with, fold_options
from bnfold.cli.gain import gain_lines
from bnfold.cli.gate_options import (
    conclude_with,
    given_gates,
    junit_option,
    leaves_option,
    put_junit,
    tell_ci,
)
from bnfold.cli.given import input_records
from bnfold.cli.input_types import SourceModel
from bnfold.cli.output import (
    html_option,
    json_option,
    put_page,
    put_record,
    show,
    show_record,
)
from bnfold.cli.output_types import TargetModel
from bnfold.cli.tune_options import TuneOptions, folded_or_tuned, tune_options
from bnfold.cli.verbosity import is_verbose, verbosity_options
from bnfold.cli.verify_options import VerifyOptions, verified
from bnfold.errors import UsageError

DIFFERENT = 1


class _FoldCommand(GuardedCommand):
    """Tells those who are used to `IN OUT` how it is written here."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        words = [word for word in args if word.endswith(".onnx")]
        is_named = "-o" in args or "--output" in args  # asked now: click empties the list
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            if "unexpected extra argument" in error.message and len(words) == 2 and not is_named:
                said = f"the output is an option: bnfold fold {words[0]} -o {words[1]}"
                raise click.UsageError(said, ctx) from error
            raise


@click.command(cls=_FoldCommand, epilog="Example: bnfold fold net.onnx -o folded.onnx --verify")
@click.argument("source", metavar="IN.onnx", type=SourceModel())
@click.option(
    "-o",
    "--output",
    metavar="OUT.onnx",
    type=TargetModel(may_be="source"),
    help="Where the folded model goes; may be IN.onnx itself.",
)
@click.option("--dry-run", is_flag=True, help="Fold and print, but write no model.")
@click.option(
    "--verify",
    "is_verified",
    is_flag=True,
    help="Compare the folded model with IN.onnx first; a different one is not written.",
)
@data_option
@custom_ops_option
@click.option("--all", "every_row", is_flag=True, help="A row for each batch norm, with numbers.")
@fold_options
@tune_options
@for_option
@leaves_option
@junit_option
@html_option
@json_option
@force_option
@verbosity_options
@click.pass_context
def fold(
    ctx: click.Context,
    *,
    source: Path,
    output: Path | None,
    dry_run: bool,
    is_verified: bool,
    data: Path | None,
    custom_ops: tuple[Path, ...],
    every_row: bool,
    fold_as: FoldOptions,
    tune_as: TuneOptions,
    runtime: str | None,
    leaves: int | None,
    junit_target: Path | None,
    html_target: Path | None,
    json_target: str | None,
) -> int:
    """Fold every batch norm of IN.onnx that can be folded exactly, and account for the rest.

    Exit code 1: the folded model is different, and then not written, or --leaves does not hold,
    and it is; 3: it cannot be said.
    """
    verify_as = VerifyOptions(data, dims=tune_as.dims, custom_ops=custom_ops)
    _require_sense(source, output, verify_as, tune_as, dry_run=dry_run, is_verified=is_verified)
    target, start = None if dry_run else output, time.monotonic()
    result = folded_or_tuned(ctx, source, fold_as, tune_as, runtime=runtime, custom_ops=custom_ops)
    seconds = time.monotonic() - start

    from bnfold.model_io import Together
    from bnfold.report import envelope
    from bnfold.report.blocks import Line, blank
    from bnfold.report.gates import leaves_gate
    from bnfold.report.ledger_text import ledger_blocks, written_line
    from bnfold.report.sections import Findings
    from bnfold.report.verification_text import verification_blocks

    every_row = every_row or is_verbose(ctx)
    blocks = [*ledger_blocks(result.ledger, every_row=every_row)]
    found = result.ledger.to_dict()
    # Hashed before OUT may take the place of IN.
    inputs = [] if json_target is None else input_records(ctx)
    code, said, verification = 0, "", None
    if is_verified:
        verification = verified(ctx, compared_with(source, fold_as), result.model, verify_as)
        blocks += [blank(), *verification_blocks(verification, every_row=every_row)]
        found = {**found, "verification": verification.to_dict()}
        code, said = verification.exit_code, f"{verification.verdict}: {verification.reason}"
    gates = [] if leaves is None else [leaves_gate(result.ledger.batch_norms_after, leaves)]
    outputs = []
    record: dict[str, Any] = {}
    with Together() as files:
        aside = None if target is None or code == DIFFERENT else files.aside(target)
        if target is not None and aside is not None:
            result.save(aside)
            outputs = [] if json_target is None else [envelope.model_record(target, at=aside)]
        lines = gain_lines(source, result, aside) if fold_as.check is not False else []
        remarks = [line.text for line in lines] + ([result.loads] if result.loads else [])
        blocks += map(Line, remarks)
        if remarks:
            found = {**found, "remarks": remarks}
        blocks += [gate.line for gate in gates]
        if target is not None and aside is not None:
            blocks += [blank(), written_line(str(target), result.ledger, seconds)]
        elif target is not None:
            blocks += [blank(), Line(f"{target} was not written", "bad")]
        if json_target is not None:
            record = envelope.envelope(
                "fold",
                settings={
                    **settings_of(fold_as),
                    "dry_run": dry_run,
                    "verify": is_verified,
                    "data": data and str(data),
                    "custom_ops": list(map(str, custom_ops)),
                    "dims": list(tune_as.dims),
                    "for": runtime,
                    "tune": settings_of(tune_as) if tune_as.target else None,
                    **given_gates(leaves=leaves),
                },
                inputs=inputs,
                outputs=outputs,
                result=found,
            )
            put_record(record, json_target, files)
        findings = Findings(
            f"bnfold fold: {source}",
            {"": result.ledger},
            verification,
            remarks=tuple(remarks),
            gates=gates,
        )
        put_page(findings, html_target, files)
        put_junit(findings, junit_target, files)
    show_record(record, json_target)
    show(ctx, blocks, json_target)
    tell_ci(blocks, verification=verification, gates=gates)
    return conclude_with(ctx, gates, code, said)


def _require_sense(
    source: Path,
    output: Path | None,
    verify_as: VerifyOptions,
    tune_as: TuneOptions,
    *,
    dry_run: bool,
    is_verified: bool,
) -> None:
    """Returns where the options do not leave a question open, and the data fits the model.

    Raises:
        UsageError: they do.
        DataError: it does not.
        ModelError: the model cannot be read, or cannot be run to verify it.
    """
    if output is None and not dry_run:
        raise UsageError("say where the folded model goes with -o OUT.onnx, or add --dry-run")
    if verify_as.data is not None and not is_verified:
        raise UsageError("--data are inputs to compare on: add --verify")
    if tune_as.dims and not is_verified and tune_as.target is None:
        raise UsageError("--dim is a size to compare or to measure at: add --verify or --tune")
    runs = is_verified and not verify_as.custom_ops
    require_data(source, verify_as.data, tune_as.calibration, runs=runs)
