"""`bnfold verify`: equivalent, different or inconclusive, with the evidence."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bnfold.cli.bundles import settings_of
from bnfold.cli.output import json_option, leave_record, show
from bnfold.cli.paths import require_target
from bnfold.cli.verbosity import is_verbose, verbosity_options
from bnfold.cli.verify_options import VerifyOptions, verified, verify_options

if TYPE_CHECKING:
    from bnfold.verify.records import Verification


@click.command()
@click.argument("original", metavar="A")
@click.argument("other", metavar="B", type=click.Path(path_type=Path))
@verify_options
@click.option("--all", "every_row", is_flag=True, help="Every input, and all of the structure.")
@click.option(
    "--junit",
    "junit_target",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write a JUnit report for a CI system.",
)
@json_option
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
    json_target: str | None,
) -> int:
    """Tell whether B computes what A computes, rounding apart.

    A is an ONNX file, or what `bnfold export` takes. Exit code 0: equivalent, 1: different,
    3: it cannot be said.
    """
    if junit_target is not None:
        require_target(junit_target)
    found = verified(ctx, original, other, verify_as)

    from bnfold.report import ci, records
    from bnfold.report.verification_text import verification_blocks

    show(ctx, verification_blocks(found, every_row=every_row or is_verbose(ctx)), json_target)
    _annotate(found)
    if junit_target is not None:
        records.write_text(ci.junit_xml(found), junit_target)
    if json_target is not None:
        paths = [Path(original), other] if Path(original).exists() else [other]
        record = records.envelope(
            "verify",
            settings=settings_of(verify_as),
            inputs=[records.model_record(path) for path in paths],
            outputs=[],
            result=found.to_dict(),
        )
        leave_record(record, json_target)
    return found.exit_code


def _annotate(found: Verification) -> None:
    """On GitHub, the verdict becomes an annotation; its runner reads stderr too."""
    from bnfold.report.ci import github_annotation

    line = github_annotation(found)
    if line and os.environ.get("GITHUB_ACTIONS") == "true":
        click.echo(line, err=True)
