"""`bnfold bench`: paired timings of models, judged in words."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bnfold.cli.bench_options import BenchOptions, bench_options
from bnfold.cli.claims import GuardedCommand, force_option
from bnfold.cli.contender_options import baseline_option
from bnfold.cli.gate_options import (
    conclude_with,
    fail_if_slower_option,
    given_gates,
    junit_option,
    put_junit,
    tell_ci,
)
from bnfold.cli.given import input_records
from bnfold.cli.input_types import SourceModel
from bnfold.cli.measured import measured
from bnfold.cli.output import (
    conclude,
    html_option,
    json_option,
    markdown_option,
    plot_option,
    put_page,
    put_plot,
    put_record,
    put_text,
    require_plot,
    show,
    show_record,
)
from bnfold.cli.output_types import TABLE
from bnfold.cli.verbosity import is_verbose, verbosity_options
from bnfold.errors import UsageError

if TYPE_CHECKING:
    from bnfold.bench.records import BenchResult

INCONCLUSIVE = 3


@click.command(cls=GuardedCommand, epilog="Example: bnfold bench net.onnx folded.onnx --batch 8")
@click.argument("models", metavar="MODEL [MODEL ...]", nargs=-1, required=True, type=SourceModel())
@bench_options
@baseline_option
@fail_if_slower_option
@junit_option
@html_option
@plot_option
@markdown_option
@click.option(
    "--csv",
    "table_target",
    metavar="FILE",
    type=TABLE,
    help="Write a row for each comparison, and each model alone, as CSV.",
)
@json_option
@force_option
@verbosity_options
@click.pass_context
def bench(
    ctx: click.Context,
    *,
    models: tuple[Path, ...],
    bench_as: BenchOptions,
    baseline: Path | None,
    fail_if_slower: float | None,
    junit_target: Path | None,
    html_target: Path | None,
    plot_target: Path | None,
    markdown_target: Path | None,
    table_target: Path | None,
    json_target: str | None,
) -> int:
    """Time each MODEL against the first one, in pairs, and say what is certain.

    One MODEL alone is measured but compared with nothing. Exit code 3: too noisy to say; with
    --fail-if-slower, 0 where it holds, 1 where it does not, and 3 where that cannot be said.
    """
    if fail_if_slower is not None and len(models) == 1 and baseline is None:
        raise UsageError(
            "--fail-if-slower compares a model with the first one: name two models, or an earlier "
            "record with --baseline"
        )
    require_plot(plot_target, len(models))
    result = measured(ctx, models, bench_as, baseline=baseline)

    from bnfold.model_io import Together
    from bnfold.report.bench_table import csv_text
    from bnfold.report.bench_text import bench_blocks
    from bnfold.report.gates import since_gates, speed_gates
    from bnfold.report.markdown import markdown_text
    from bnfold.report.sections import Findings

    names = " ".join(model.name for model in result.models)
    gates = [] if fail_if_slower is None else [*speed_gates(result, fail_if_slower)]
    if fail_if_slower is not None and baseline is not None:
        gates += since_gates(result, fail_if_slower, str(baseline))
    record = _record(ctx, result, given_gates(fail_if_slower=fail_if_slower))
    blocks = bench_blocks(result, every_row=bench_as.profile or is_verbose(ctx))
    blocks += [gate.line for gate in gates]
    findings = Findings(f"bnfold bench: {names}", bench=result, gates=gates)
    with Together() as files:
        put_record(record, json_target, files)
        put_page(findings, html_target, files)
        put_plot(result, plot_target, files)
        put_junit(findings, junit_target, files)
        if markdown_target is not None:
            put_text(markdown_text(blocks), markdown_target, files)
        if table_target is not None:
            put_text(csv_text(result), table_target, files)
    show_record(record, json_target)
    show(ctx, blocks, json_target)
    tell_ci(blocks, gates=gates)
    if gates:
        return conclude_with(ctx, gates)
    said = "; ".join(comparison.sentence for comparison in result.headline)
    said = said or "; ".join(f"{f.model} on {f.runtime}: {f.sentence}" for f in result.failed)
    return conclude(ctx, 0 if result.is_conclusive else INCONCLUSIVE, said)


def _record(ctx: click.Context, result: BenchResult, gates: dict[str, Any]) -> dict[str, Any]:
    from bnfold.report.envelope import envelope

    found = result.to_dict()
    hashes = ("path", "size_bytes", "sha256")
    models = [{key: model[key] for key in hashes} for model in found["models"]]
    return envelope(
        "bench",
        settings={**found["settings"], **gates},
        inputs=[*models, *(record for record in input_records(ctx) if record not in models)],
        outputs=[],
        result=found,
    )
