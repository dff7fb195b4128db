"""The options that `bench` and `run` share, and the call that they make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bnfold.cli.bundles import bundled
from bnfold.cli.choices import LEVEL, PROVIDER
from bnfold.cli.contender_options import against_option, cuda_graph_option, floor_option
from bnfold.cli.data_options import custom_ops_option, data_option
from bnfold.cli.dimensions import dim_option, parse_dims
from bnfold.cli.input_types import SourceData, SourceFile
from bnfold.cli.progress_bar import progress
from bnfold.cli.verbosity import is_verbose
from bnfold.errors import DataError, UsageError

if TYPE_CHECKING:
    import onnx_ir as ir

    from bnfold.bench.records import BenchResult


def counts(
    _ctx: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> tuple[int, ...]:
    """The numbers, which may stand between commas or in several options.

    Raises:
        UsageError: one of them is no number from 1 on.
    """
    words = [word.strip() for value in values for word in value.split(",")]
    for word in words:
        if not word.isdecimal() or int(word) < 1:
            raise UsageError(
                f"{parameter.opts[-1]}: {word!r} is no number from 1 on; write 8, or 1,8,32"
            )
    return tuple(dict.fromkeys(map(int, words)))


def entries(
    _ctx: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> tuple[str, ...]:
    """The entries as they were written.

    Raises:
        UsageError: one of them is not KEY=VALUE.
    """
    for value in values:
        key, equals, _ = value.partition("=")
        if not key or not equals:
            raise UsageError(f"{parameter.opts[-1]}: {value!r} is not of the form KEY=VALUE")
    return values


@dataclass(frozen=True)
class BenchOptions:
    """What was asked of a measurement."""

    providers: tuple[str, ...]
    threads: tuple[int, ...]
    batch: tuple[int, ...]
    levels: tuple[str, ...]
    pairs: int | None
    duration: float | None
    processes: int
    warm_up: int
    streams: int
    inter_threads: int
    session_options: tuple[str, ...]
    pythons: tuple[Path, ...]
    seed: int
    dims: tuple[str, ...]
    profile: bool
    data: Path | None = None
    custom_ops: tuple[Path, ...] = ()
    int8: Path | None = None
    labels: Path | None = None
    against: tuple[str, ...] = ()
    floor: bool = False
    cuda_graph: bool = False


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
            default=("1",),
            multiple=True,
            metavar="N[,N...]",
            callback=counts,
            show_default=True,
            help="Threads inside one operator; several are measured one after the other.",
        ),
        click.option(
            "--batch",
            multiple=True,
            metavar="N[,N...]",
            callback=counts,
            help="The size of a dynamic batch, or several.  [default: 1]",
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
            type=click.IntRange(5),
            help="Paired measurements, fixed before.  [default: 40]",
        ),
        click.option(
            "--duration",
            metavar="S",
            type=float,
            help="Seconds of pairs for each comparison, in place of --pairs.",
        ),
        click.option(
            "--processes",
            default=9,
            show_default=True,
            type=click.IntRange(1),
            help="Processes that the pairs are spread over, at most.",
        ),
        click.option(
            "--warm-up",
            default=3,
            show_default=True,
            type=click.IntRange(0),
            help="Runs before the first one that is timed.",
        ),
        click.option(
            "--streams",
            default=0,
            metavar="N",
            type=click.IntRange(0),
            help="Tell the throughput of N threads that run a model at once.",
        ),
        click.option(
            "--inter-threads",
            default=1,
            show_default=True,
            type=click.IntRange(1),
            help="Threads for operators side by side.",
        ),
        click.option(
            "--session-option",
            "session_options",
            metavar="K=V",
            multiple=True,
            callback=entries,
            help="Of onnxruntime, as deployed: session.intra_op.allow_spinning=1, "
            "enable_cpu_mem_arena=0. Repeatable.",
        ),
        click.option(
            "--python",
            "pythons",
            metavar="PATH",
            multiple=True,
            type=SourceFile(),
            help="Measure with this Python, which needs onnxruntime and NumPy alone. Repeatable.",
        ),
        click.option("--seed", default=0, show_default=True, help="Of the random inputs."),
        dim_option,
        data_option,
        custom_ops_option,
        click.option(
            "--int8",
            metavar="DATA",
            type=SourceData(),
            help="Quantise all models with this data (.npz, .npy, test_data_set_*), time them so, "
            "and tell their accuracy on it.",
        ),
        click.option(
            "--labels",
            metavar="F.npy",
            type=SourceFile(),
            help="The class of each row of the --int8 data.",
        ),
        against_option,
        floor_option,
        cuda_graph_option,
        click.option("--profile", is_flag=True, help="Tell the time per operator too."),
    ),
)


def _labels(path: Path) -> Any:
    import numpy as np

    try:
        found = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise DataError(f"{path}: cannot be read as an array: {error}") from error
    if not isinstance(found, np.ndarray) or found.ndim != 1 or found.dtype.kind not in "iu":
        raise DataError(f"{path}: labels are one integer for each row, in one .npy")
    return found


def measured(
    ctx: click.Context,
    models: Sequence[Path],
    options: BenchOptions,
    *,
    exported: ir.Model | None = None,
    baseline: Path | None = None,
) -> BenchResult:
    """The models against the first of them, with a bar on a terminal.

    `exported` is the first one as its exporter writes it by default, timed beside them; `baseline`
    an earlier record that they are held against.
    """
    import bnfold

    with progress(ctx, "measuring") as bar:
        return bnfold.bench(
            models,
            providers=options.providers,
            threads=options.threads,
            batch=options.batch or None,
            levels=options.levels,
            pairs=options.pairs,
            duration=options.duration,
            processes=options.processes,
            warm_up=options.warm_up,
            streams=options.streams,
            inter_threads=options.inter_threads,
            session_options=dict(entry.split("=", 1) for entry in options.session_options),
            pythons=options.pythons,
            seed=options.seed,
            data=options.data,
            int8=options.int8,
            labels=None if options.labels is None else _labels(options.labels),
            dims=parse_dims(options.dims),
            custom_ops=options.custom_ops,
            against=options.against,
            floor=options.floor,
            exported=exported,
            baseline=baseline,
            cuda_graph=options.cuda_graph,
            profile=options.profile or is_verbose(ctx),
            progress=bar,
        )
