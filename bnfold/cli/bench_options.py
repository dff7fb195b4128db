"""The options that `bench` and `run` share, and the call that they make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bnfold.cli.bundles import bundled
from bnfold.cli.choices import LEVEL, PROVIDER
from bnfold.cli.data_options import custom_ops_option, data_option
from bnfold.cli.dimensions import dim_option, parse_dims
from bnfold.cli.progress_bar import progress
from bnfold.cli.verbosity import is_verbose

if TYPE_CHECKING:
    from bnfold.bench.records import BenchResult


@dataclass(frozen=True)
class BenchOptions:
    """What was asked of a measurement."""

    providers: tuple[str, ...]
    threads: int
    batch: int
    levels: tuple[str, ...]
    pairs: int
    seed: int
    dims: tuple[str, ...]
    profile: bool
    data: Path | None = None
    custom_ops: tuple[Path, ...] = ()


bench_options = bundled(
    "bench_as",
    BenchOptions,
    (
        click.option(
            "--provider",
            "providers",
            multiple=True,
            default=("cpu",),
            show_default=True,
            type=PROVIDER,
            help=f"{PROVIDER.legend}. Repeatable; the first one is the headline.",
        ),
        click.option(
            "--threads",
            default=1,
            type=click.IntRange(1),
            show_default=True,
            help="Threads inside one operator.",
        ),
        click.option(
            "--batch",
            default=1,
            type=click.IntRange(1),
            show_default=True,
            help="The size of a dynamic batch, timed.",
        ),
        click.option(
            "--level",
            "levels",
            multiple=True,
            default=("all", "none"),
            show_default=True,
            type=LEVEL,
            help=f"onnxruntime's optimisations. {LEVEL.legend}. Repeatable.",
        ),
        click.option(
            "--pairs",
            default=40,
            type=click.IntRange(5),
            show_default=True,
            help="Paired measurements, fixed before.",
        ),
        click.option("--seed", default=0, show_default=True, help="Of the random inputs."),
        dim_option,
        data_option,
        custom_ops_option,
        click.option("--profile", is_flag=True, help="Tell the time per operator too."),
    ),
)


def measured(ctx: click.Context, models: Sequence[Path], options: BenchOptions) -> BenchResult:
    """The models against the first of them, with a bar on a terminal."""
    import bnfold

    with progress(ctx, "measuring") as bar:
        return bnfold.bench(
            models,
            providers=options.providers,
            threads=options.threads,
            batch=options.batch,
            levels=options.levels,
            pairs=options.pairs,
            seed=options.seed,
            data=options.data,
            dims=parse_dims(options.dims),
            custom_ops=options.custom_ops,
            profile=options.profile or is_verbose(ctx),
            progress=bar,
        )
