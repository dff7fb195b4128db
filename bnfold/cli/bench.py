"""`bnfold bench`: paired timings of models, judged in words."""

from __future__ import annotations

from pathlib import Path

import click

from bnfold.cli.bench_options import BenchOptions, bench_options, measured
from bnfold.cli.output import json_option, leave_record, show
from bnfold.cli.paths import require_target
from bnfold.cli.verbosity import is_verbose, verbosity_options

INCONCLUSIVE = 3


@click.command()
@click.argument(
    "models", metavar="MODEL [MODEL ...]", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@bench_options
@click.option(
    "--html",
    "html_target",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write a report for a browser.",
)
@json_option
@verbosity_options
@click.pass_context
def bench(
    ctx: click.Context,
    *,
    models: tuple[Path, ...],
    bench_as: BenchOptions,
    html_target: Path | None,
    json_target: str | None,
) -> int:
    """Time each MODEL against the first one, in pairs, and say what is certain.

    One MODEL alone is measured but compared with nothing. Exit code 3: too noisy to say.
    """
    if html_target is not None:
        from bnfold.report.html import require_jinja2

        require_jinja2()
        require_target(html_target)
    result = measured(ctx, models, bench_as)

    from bnfold.report.bench_text import bench_blocks

    every_row = bench_as.profile or is_verbose(ctx)
    show(ctx, bench_blocks(result, every_row=every_row), json_target)
    if json_target is not None:
        from bnfold.report.records import envelope

        found = result.to_dict()
        hashes = ("path", "size_bytes", "sha256")
        record = envelope(
            "bench",
            settings=found["settings"],
            inputs=[{key: model[key] for key in hashes} for model in found["models"]],
            outputs=[],
            result=found,
        )
        leave_record(record, json_target)
    if html_target is not None:
        from bnfold.report.html import write_html

        write_html(html_target, bench=result)
    return 0 if result.is_conclusive else INCONCLUSIVE
