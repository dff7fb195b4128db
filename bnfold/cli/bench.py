"""`bnfold bench`: paired timings of models, judged in words."""

from __future__ import annotations

from pathlib import Path

import click

from bnfold.cli.output import json_option, leave_record, show
from bnfold.cli.paths import require_target
from bnfold.cli.progress import progress
from bnfold.cli.verbosity import is_verbose, verbosity_options
from bnfold.errors import UsageError

INCONCLUSIVE = 3


@click.command()
@click.argument(
    "models", metavar="MODEL [MODEL ...]", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option(
    "--provider",
    "providers",
    multiple=True,
    default=("cpu",),
    show_default=True,
    help="cpu or cuda. Repeatable; the first one is the headline.",
)
@click.option("--threads", default=1, show_default=True, help="Threads inside one operator.")
@click.option("--batch", default=1, show_default=True, help="The size of a dynamic batch.")
@click.option(
    "--level",
    "levels",
    multiple=True,
    default=("all", "none"),
    show_default=True,
    help="onnxruntime's optimisations: all, extended, basic, none. Repeatable.",
)
@click.option("--pairs", default=40, show_default=True, help="Paired measurements, fixed before.")
@click.option("--seed", default=0, show_default=True, help="Of the random inputs.")
@click.option(
    "--dim",
    "dims",
    metavar="NAME=SIZE",
    multiple=True,
    help="The size of another dynamic dimension, by its name or INPUT:AXIS. Repeatable.",
)
@click.option("--profile", is_flag=True, help="Tell the time per operator too.")
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
    providers: tuple[str, ...],
    threads: int,
    batch: int,
    levels: tuple[str, ...],
    pairs: int,
    seed: int,
    dims: tuple[str, ...],
    profile: bool,
    html_target: Path | None,
    json_target: str | None,
) -> int:
    """Time each MODEL against the first one, in pairs, and say what is certain.

    One MODEL alone is measured but compared with nothing. Exit code 3: too noisy to say.
    """
    if html_target is not None:
        require_target(html_target)
    import bnfold
    from bnfold.report.bench_text import bench_blocks

    with progress(ctx, "measuring") as bar:
        result = bnfold.bench(
            models,
            providers=providers,
            threads=threads,
            batch=batch,
            levels=levels,
            pairs=pairs,
            seed=seed,
            dims=dict(map(_dimension, dims)),
            profile=profile or is_verbose(ctx),
            progress=bar,
        )
    show(ctx, bench_blocks(result, every_row=profile or is_verbose(ctx)), json_target)
    if json_target is not None:
        from bnfold.report.records import envelope

        found = result.to_dict()
        record = envelope(
            "bench",
            settings=found["settings"],
            inputs=[
                {key: model[key] for key in ("path", "size_bytes", "sha256")}
                for model in found["models"]
            ],
            outputs=[],
            result=found,
        )
        leave_record(record, json_target)
    if html_target is not None:
        from bnfold.report.html import write_html

        write_html(html_target, bench=result)
    return 0 if result.is_conclusive else INCONCLUSIVE


def _dimension(text: str) -> tuple[str, int]:
    name, equals, size = text.rpartition("=")
    if not (name and equals and size.isdecimal() and int(size) > 0):
        raise UsageError(f"--dim {text}: write NAME=SIZE, as in --dim width=224")
    return name, int(size)
