"""`bnfold sweep`: a whole fleet of models into one folder, with one table."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bnfold.cli.claims import FORCE, GuardedCommand, force_option
from bnfold.cli.data_options import custom_ops_option
from bnfold.cli.fold_options import allow_option, skip_option
from bnfold.cli.gate_options import (
    conclude_with,
    given_gates,
    junit_option,
    leaves_option,
    put_junit,
    tell_ci,
)
from bnfold.cli.input_types import SourceFleet
from bnfold.cli.output import json_option, put_record, put_text, show, show_record
from bnfold.cli.output_folders import TargetSweepFolder
from bnfold.cli.progress_bar import progress
from bnfold.cli.verbosity import verbosity_options

if TYPE_CHECKING:
    from concurrent.futures import Executor


@click.command(
    cls=GuardedCommand,
    epilog="Example: bnfold sweep 'zoo/**/*.onnx' -o folded",
)
@click.argument(
    "models", metavar="MODELS [MODELS ...]", nargs=-1, required=True, type=SourceFleet()
)
@click.option(
    "-o",
    "--output",
    "folder",
    metavar="DIR",
    required=True,
    type=TargetSweepFolder(),
    help="Where the folded models and the report go; a sweep that was stopped goes on there.",
)
@allow_option
@skip_option
@click.option(
    "--verify/--no-verify",
    default=True,
    help="Compare each folded model with its original; a different one is not written.",
)
@click.option("--samples", type=click.IntRange(min=1), help="Sets of made-up inputs per model.")
@custom_ops_option
@click.option(
    "--bench",
    is_flag=True,
    help="Time each folded model against its original as bench does: at the end, one at a time, on "
    "this machine.",
)
@click.option(
    "--pairs",
    type=click.IntRange(5),
    help="Paired measurements of --bench.  [default: 40]",
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    help="Processes on this machine. Default: one for each core, fewer where memory is short.",
)
@click.option(
    "--scheduler",
    metavar="ADDRESS",
    help="Run on the Dask cluster of this scheduler: tcp://host:8786. Needs dask[distributed].",
)
@leaves_option
@junit_option
@json_option
@force_option
@verbosity_options
@click.pass_context
def sweep(
    ctx: click.Context,
    *,
    models: tuple[str, ...],
    folder: Path,
    allow: tuple[str, ...],
    skip: tuple[str, ...],
    verify: bool,
    samples: int | None,
    custom_ops: tuple[Path, ...],
    bench: bool,
    pairs: int | None,
    workers: int | None,
    scheduler: str | None,
    leaves: int | None,
    junit_target: Path | None,
    json_target: str | None,
) -> int:
    """Fold and verify every model that MODELS name, side by side; one that fails stops no other.

    MODELS are files, folders, patterns such as 'zoo/**/*.onnx', or URLs of a store. DIR gets the
    folded models, a page for each, sweep.jsonl with a line for each, and sweep.html.
    Exit code 0: all equivalent, 1: one is different or --leaves does not hold for it, 2: one
    failed, 3: one is inconclusive, or its timing is.
    """
    from bnfold.model_io import Together
    from bnfold.report.envelope import envelope
    from bnfold.report.gates import leaves_gate
    from bnfold.report.sections import Findings
    from bnfold.sweep import sweep as sweep_
    from bnfold.sweep.sweep_text import outcome_gate, sweep_blocks, sweep_page

    with _executor(scheduler) as executor, progress(ctx, "sweeping") as bar:
        result = sweep_(
            models,
            folder,
            allow=allow,
            skip=skip,
            verify=verify,
            samples=samples,
            custom_ops=custom_ops,
            bench=bench,
            pairs=pairs,
            workers=workers,
            executor=executor,
            force=bool(ctx.meta.get(FORCE)),
            progress=bar,
        )
    asked = {"allow": list(allow), "skip": list(skip), "verify": verify, "samples": samples}
    asked |= {"custom_ops": list(map(str, custom_ops)), "bench": bench, "pairs": pairs}
    gates = [
        leaves_gate(outcome.after, leaves, subject=outcome.source)
        for outcome in result.outcomes
        if leaves is not None and outcome.status != "failed"
    ]
    cases = [outcome_gate(outcome) for outcome in result.outcomes]
    blocks = [*sweep_blocks(result, folder), *(gate.line for gate in gates if not gate.holds)]
    record = envelope(
        "sweep",
        settings={**asked, **given_gates(leaves=leaves)},
        inputs=[_file(o.source, o.size_bytes, o.sha256) for o in result.outcomes if o.sha256],
        outputs=[
            _file(o.target, o.target_size_bytes, o.target_sha256)
            for o in result.outcomes
            if o.target is not None
        ],
        result=result.to_dict(),
    )
    with Together() as files:
        put_text(sweep_page(result, folder), folder / TargetSweepFolder.PAGE, files)
        found = Findings(f"bnfold sweep: {folder}", gates=[*cases, *gates])
        put_junit(found, junit_target, files)
        put_record(record, json_target, files)
    show_record(record, json_target)
    show(ctx, blocks, json_target)
    tell_ci(blocks, gates=[*cases, *gates])
    return conclude_with(ctx, gates, result.exit_code, result.headline)


def _file(path: str, size_bytes: int, sha256: str) -> dict[str, Any]:
    return {"path": path, "size_bytes": size_bytes, "sha256": sha256}


@contextmanager
def _executor(scheduler: str | None) -> Iterator[Executor | None]:
    if scheduler is None:
        yield None
        return
    from bnfold.sweep.cluster import cluster

    with cluster(scheduler) as executor:
        yield executor
