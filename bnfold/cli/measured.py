"""The measurement that `bench` and `run` make of their options."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bnfold.cli.bench_options import BenchOptions
from bnfold.cli.dimensions import parse_dims
from bnfold.cli.progress_bar import progress
from bnfold.cli.verbosity import is_verbose
from bnfold.errors import DataError

if TYPE_CHECKING:
    import onnx_ir as ir

    from bnfold.bench.records import BenchResult


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
            levels=options.levels or None,
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
            labels=None if options.labels is None else read_labels(options.labels),
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


def read_labels(path: Path) -> Any:
    """The class of each row.

    Raises:
        DataError: the file is no array of integers.
    """
    import numpy as np

    from bnfold.model_io import require_file

    require_file(path)
    try:
        found = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise DataError(f"{path}: cannot be read as an array: {error}") from error
    if not isinstance(found, np.ndarray) or found.ndim != 1 or found.dtype.kind not in "iu":
        raise DataError(f"{path}: labels are one integer for each row, in one .npy")
    return found
