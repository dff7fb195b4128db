"""`bnfold bench`: paired timings of models, judged in words."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bnfold.cli.bench_options import BenchOptions, bench_options, measured
from bnfold.cli.claims import GuardedCommand, force_option, input_records
from bnfold.cli.output import (
    conclude,
    html_option,
    json_option,
    plot_option,
    put_page,
    put_plot,
    put_record,
    require_plot,
    show,
    show_record,
)
from bnfold.cli.sources import SourceModel
from bnfold.cli.verbosity import is_verbose, verbosity_options

if TYPE_CHECKING:
    from bnfold.bench.records import BenchResult

INCONCLUSIVE = 3


@click.command(cls=GuardedCommand, epilog="Example: bnfold bench net.onnx folded.onnx --batch 8")
@click.argument("models", metavar="MODEL [MODEL ...]", nargs=-1, required=True, type=SourceModel())
@bench_options
@html_option
@plot_option
@json_option
@force_option
@verbosity_options
@click.pass_context
def bench(
    ctx: click.Context,
    *,
    models: tuple[Path, ...],
    bench_as: BenchOptions,
    html_target: Path | None,
    plot_target: Path | None,
    json_target: str | None,
) -> int:
    """Time each MODEL against the first one, in pairs, and say what is certain.

    One MODEL alone is measured but compared with nothing. Exit code 3: too noisy to say.
    """
    require_plot(plot_target, len(models))
    result = measured(ctx, models, bench_as)

    from bnfold.model_io import Together
    from bnfold.report.bench_text import bench_blocks
    from bnfold.report.sections import Findings

    names = " ".join(model.name for model in result.models)
    record = _record(ctx, result)
    with Together() as files:
        put_record(record, json_target, files)
        put_page(Findings(f"bnfold bench: {names}", bench=result), html_target, files)
        put_plot(result, plot_target, files)
    show_record(record, json_target)
    every_row = bench_as.profile or is_verbose(ctx)
    show(ctx, bench_blocks(result, every_row=every_row), json_target)
    said = "; ".join(comparison.sentence for comparison in result.headline)
    return conclude(ctx, 0 if result.is_conclusive else INCONCLUSIVE, said)


def _record(ctx: click.Context, result: BenchResult) -> dict[str, Any]:
    from bnfold.report.records import envelope

    found = result.to_dict()
    hashes = ("path", "size_bytes", "sha256")
    models = [{key: model[key] for key in hashes} for model in found["models"]]
    return envelope(
        "bench",
        settings=found["settings"],
        inputs=[*models, *(record for record in input_records(ctx) if record not in models)],
        outputs=[],
        result=found,
    )
