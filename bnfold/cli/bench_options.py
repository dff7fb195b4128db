"""The options that `bench` and `run` share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bnfold.cli.bundles import bundled
from bnfold.cli.choices import LEVEL, PROVIDER
from bnfold.cli.contender_options import against_option, cuda_graph_option, floor_option
from bnfold.cli.data_options import custom_ops_option, data_option
from bnfold.cli.dimensions import dim_option
from bnfold.cli.input_types import SourceData, SourceFile
from bnfold.errors import UsageError

if TYPE_CHECKING:
    pass


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
    processes: int | None
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
            type=LEVEL,
            help=f"onnxruntime's optimisations. {LEVEL.legend}. Repeatable.  [default: all and "
            "none; none for models from 1 GiB on]",
        ),
        click.option(
            "--pairs",
            type=click.IntRange(5),
            help="Paired measurements, fixed before.  [default: 40; a minute of them for models "
            "from 1 GiB on]",
        ),
        click.option(
            "--duration",
            metavar="S",
            type=float,
            help="Seconds of pairs for each comparison, in place of --pairs.",
        ),
        click.option(
            "--processes",
            type=click.IntRange(1),
            help="Processes that the pairs are spread over, at most.  [default: 9; 1 for models "
            "from 1 GiB on]",
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
