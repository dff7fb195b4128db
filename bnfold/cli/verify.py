"""`bnfold verify`: equivalent, different or inconclusive, with the evidence."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bnfold.cli.bundles import settings_of
from bnfold.cli.claims import GuardedCommand, force_option
from bnfold.cli.gate_options import junit_option, put_junit, tell_ci
from bnfold.cli.given import input_records
from bnfold.cli.input_types import SourceModel, SourceNetwork
from bnfold.cli.output import (
    conclude,
    html_option,
    json_option,
    put_page,
    put_record,
    show,
    show_record,
)
from bnfold.cli.verbosity import is_verbose, verbosity_options
from bnfold.cli.verify_options import VerifyOptions, verified, verify_options

if TYPE_CHECKING:
    from bnfold.model_io import Together
    from bnfold.verify.records import Verification


@click.command(
    cls=GuardedCommand,
    epilog="Example: bnfold verify net.onnx folded.onnx --data inputs.npz",
)
@click.argument("original", metavar="ORIGINAL", type=SourceNetwork())
@click.argument("other", metavar="OTHER", type=SourceModel())
@verify_options
@click.option("--all", "every_row", is_flag=True, help="Every input, and all of the structure.")
@junit_option
@html_option
@json_option
@force_option
@verbosity_options
@click.pass_context
def verify(
    ctx: click.Context,
    *,
    original: str,
    other: Path,
    verify_as: VerifyOptions,
    every_row: bool,
    junit_target: Path | None,
    html_target: Path | None,
    json_target: str | None,
) -> int:
    """Tell whether OTHER computes what ORIGINAL computes, rounding apart.

    ORIGINAL is an ONNX file, or what `bnfold export` takes, which is then run on inputs of the
    shapes that OTHER takes. Exit code 0: equivalent, 1: different, 3: it cannot be said.
    """
    from bnfold.model_io import Together
    from bnfold.report.sections import Findings
    from bnfold.report.verification_text import verification_blocks

    with Together() as files:
        found = verified(ctx, original, other, _aside(verify_as, files))
        record = _record(ctx, verify_as, found) if json_target is not None else {}
        put_record(record, json_target, files)
        findings = Findings(f"bnfold verify: {found.original} {found.other}", verification=found)
        put_junit(findings, junit_target, files)
        put_page(findings, html_target, files)
    show_record(record, json_target)
    blocks = verification_blocks(found, every_row=every_row or is_verbose(ctx))
    show(ctx, blocks, json_target)
    tell_ci(blocks, verification=found)
    return conclude(ctx, found.exit_code, f"{found.verdict}: {found.reason}")


def _aside(verify_as: VerifyOptions, files: Together) -> VerifyOptions:
    """The options, with the test data to be written where it can be taken back."""
    if verify_as.save_data is None:
        return verify_as
    return replace(verify_as, save_data=files.aside(verify_as.save_data))


def _record(ctx: click.Context, verify_as: VerifyOptions, found: Verification) -> dict[str, Any]:
    from bnfold.report import envelope

    return envelope.envelope(
        "verify",
        settings=settings_of(verify_as),
        inputs=input_records(ctx),
        outputs=[],
        result=found.to_dict(),
    )
