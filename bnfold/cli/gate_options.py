"""What CI asks of a command: gates with exit codes, a JUnit report, annotations and a summary."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bnfold.cli.output import conclude, put_text
from bnfold.cli.output_types import JUNIT
from bnfold.errors import UsageError

if TYPE_CHECKING:
    from bnfold.model_io import Together
    from bnfold.report.blocks import Block
    from bnfold.report.gates import Gate
    from bnfold.report.sections import Findings
    from bnfold.verify.records import Verification

leaves_option = click.option(
    "--leaves",
    metavar="N",
    type=click.IntRange(0),
    help="Exit code 1 where more than N batch norms are left.",
)
foldable_option = click.option(
    "--foldable",
    metavar="N",
    type=click.IntRange(0),
    help="Exit code 1 where more than N batch norms could be folded and are not.",
)
junit_option = click.option(
    "--junit",
    "junit_target",
    metavar="FILE",
    type=JUNIT,
    help="Write a JUnit report for a CI system.",
)


def _limit(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> float | None:
    if value is None:
        return None
    try:
        is_share = value.endswith("%")
        limit = 1 + float(value[:-1]) / 100 if is_share else float(value)
    except ValueError:
        limit = math.nan
    if not 1 <= limit < math.inf:
        raise UsageError(
            f"--fail-if-slower: {value!r} is no limit; write 1.05, or 5%: a factor from 1 on"
        )
    return limit


fail_if_slower_option = click.option(
    "--fail-if-slower",
    metavar="R",
    callback=_limit,
    help="Exit code 1 where a model takes more than R times the first one's time, 3 where it "
    "cannot be said; 1.05 and 5% are the same.",
)


def put_junit(found: Findings, target: Path | None, files: Together) -> None:
    """The report will be where --junit said, if it said so."""
    if target is not None:
        from bnfold.report.junit import junit_xml

        put_text(junit_xml(found), target, files)


def tell_ci(
    blocks: Sequence[Block],
    *,
    verification: Verification | None = None,
    gates: Sequence[Gate] = (),
) -> None:
    """On GitHub, what is wrong becomes an annotation, and the report a part of the job's summary.

    Its runner reads stderr too.
    """
    if os.environ.get("GITHUB_ACTIONS") == "true":
        from bnfold.report.github import github_annotations

        for line in github_annotations(verification, gates):
            click.echo(line, err=True)
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if summary:
        from bnfold.report.markdown import markdown_text

        with Path(summary).open("a", encoding="utf-8") as file:
            file.write(markdown_text(blocks) + "\n")


def conclude_with(ctx: click.Context, gates: Sequence[Gate], code: int = 0, said: str = "") -> int:
    """The exit code of a command whose own is `code`; with --quiet, one line says why."""
    from bnfold.report.gates import worst

    why = [*([said] if code else []), *(gate.said for gate in gates if not gate.holds)]
    return conclude(ctx, worst([code, *(gate.exit_code for gate in gates)]), "; ".join(why))


def given_gates(**gates: Any) -> dict[str, Any]:
    """Those that were asked for, as a record keeps them among its settings."""
    return {name: value for name, value in gates.items() if value is not None}
