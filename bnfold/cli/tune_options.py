"""The options of a fold that is tuned to a target, and the call that they make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bnfold.cli.bundles import bundled
from bnfold.cli.choices import OneOf
from bnfold.cli.dimensions import dim_option, parse_dims
from bnfold.cli.fold_options import FoldOptions, folded
from bnfold.cli.input_types import SourceData, SourceFile
from bnfold.cli.output_types import STATE
from bnfold.cli.progress_bar import progress
from bnfold.errors import UsageError

if TYPE_CHECKING:
    from bnfold.fold.api import FoldResult

TARGETS = {
    "cpu": "this processor",
    "cuda": "an NVIDIA GPU",
    "int8": "this processor, quantised; needs --calibration",
}


@dataclass(frozen=True)
class TuneOptions:
    """What was asked of a tuning; nothing where `target` is None."""

    target: str | None = None
    calibration: Path | None = None
    python: Path | None = None
    budget: float | None = None
    state: Path | None = None
    threads: int = 1
    batch: int | None = None
    dims: tuple[str, ...] = ()


_TARGET = OneOf("target", TARGETS)

tune_options = bundled(
    "tune_as",
    TuneOptions,
    (
        click.option(
            "--tune",
            "target",
            type=_TARGET,
            help="Measure each rewrite that has a price on this target, and keep what is faster. "
            f"{_TARGET.legend}.",
        ),
        click.option(
            "--calibration",
            metavar="DATA",
            type=SourceData(),
            help="With --tune int8: what to quantise with.",
        ),
        click.option(
            "--python",
            metavar="PATH",
            type=SourceFile(),
            help="With --tune: measure with this Python.",
        ),
        click.option(
            "--budget", metavar="S", type=float, help="With --tune: seconds to try things in."
        ),
        click.option(
            "--state",
            metavar="FILE",
            type=STATE,
            help="With --tune: keep what was measured there, and go on from it.",
        ),
        click.option("--threads", default=1, type=click.IntRange(1), help="With --tune."),
        click.option("--batch", type=click.IntRange(1), help="With --tune."),
        dim_option,
    ),
)


def folded_or_tuned(
    ctx: click.Context,
    source: Path,
    fold_as: FoldOptions,
    options: TuneOptions,
    *,
    runtime: str | None,
    custom_ops: Sequence[Path] = (),
) -> FoldResult:
    """The model at `source`, folded; with what is faster on the target where one was named.

    Raises:
        UsageError: options that contradict each other.
    """
    if options.target is not None:
        if custom_ops:
            raise UsageError("--tune measures models without --custom-ops")
        return _tuned(ctx, source, fold_as, options, options.target, runtime)
    if replace(options, dims=()) != TuneOptions():
        raise UsageError(
            "--calibration, --python, --budget, --state, --threads and --batch are of a tuning: "
            "add --tune cpu, cuda or int8"
        )
    return folded(ctx, source, fold_as, runtime=runtime, custom_ops=custom_ops)


def _tuned(
    ctx: click.Context,
    source: Path,
    fold_as: FoldOptions,
    options: TuneOptions,
    target: str,
    runtime: str | None,
) -> FoldResult:
    import bnfold

    plain = replace(fold_as, skip=(), strict=False, check=None)
    if plain != FoldOptions():
        raise UsageError(
            "--tune finds out which rewrites to allow, on the model as it is: leave --allow, "
            "--repair, --simplify, --flush-subnormals and --equalize out"
        )
    with progress(ctx, "tuning") as bar:
        return bnfold.tune(
            source,
            target=target,
            int8=options.calibration,
            python=options.python,
            budget=options.budget,
            skip=fold_as.skip,
            threads=options.threads,
            batch=options.batch,
            dims=parse_dims(options.dims),
            state=options.state,
            runtime=runtime,
            progress=bar,
        )
