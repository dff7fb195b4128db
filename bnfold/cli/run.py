"""`bnfold run`: export, fold, verify, bench, and one report of it all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from bnfold.cli.bench_options import BenchOptions, bench_options
from bnfold.cli.claims import GuardedCommand, force_option
from bnfold.cli.data_options import samples_option, save_data_option
from bnfold.cli.export_options import ExportOptions, export_options
from bnfold.cli.fold_options import FoldOptions, fold_options
from bnfold.cli.gate_options import (
    conclude_with,
    fail_if_slower_option,
    junit_option,
    leaves_option,
    tell_ci,
)
from bnfold.cli.input_types import SourceNetwork
from bnfold.cli.output_folders import TargetRunFolder
from bnfold.cli.run_steps import RunSteps, Wanted
from bnfold.cli.verbosity import verbosity_options
from bnfold.cli.verify_options import VerifyOptions


@click.command(
    cls=GuardedCommand,
    epilog="Example: bnfold run net.py:build -o results --input x:1,3,224,224",
)
@click.argument("source", metavar="SPEC-OR-MODEL", type=SourceNetwork())
@click.option(
    "-o",
    "--output",
    "folder",
    metavar="DIR",
    required=True,
    type=TargetRunFolder(),
    help="Where the models and the report go; it is made if need be.",
)
@export_options
@fold_options
@samples_option
@save_data_option
@bench_options
@click.option("--no-bench", "is_untimed", is_flag=True, help="Leave the timing out.")
@leaves_option
@fail_if_slower_option
@junit_option
@force_option
@verbosity_options
@click.pass_context
def run(
    ctx: click.Context,
    *,
    source: str,
    folder: Path,
    export_as: ExportOptions,
    fold_as: FoldOptions,
    samples: int | None,
    save_data: Path | None,
    bench_as: BenchOptions,
    is_untimed: bool,
    leaves: int | None,
    fail_if_slower: float | None,
    junit_target: Path | None,
) -> int:
    """Export, fold, verify and bench, into one folder with one report.

    DIR gets original.onnx (where SPEC-OR-MODEL is not an ONNX file already), folded.onnx,
    report.json and report.html: all at once at the end, in place of those of an earlier run. A
    model that comes out different is neither timed nor left there. Times are at batch 1 where the
    batch may vary, whatever --input has, unless --batch says otherwise.
    Exit code 0: equivalent, 1: different, or a gate does not hold, 3: the verdict or the timing
    is inconclusive.
    """
    from bnfold.model_io import Together

    with _made(folder), Together() as files:
        verify_as = VerifyOptions(
            bench_as.data,
            samples,
            bench_as.seed,
            providers=bench_as.providers,
            dims=bench_as.dims,
            custom_ops=bench_as.custom_ops,
            save_data=save_data,
        )
        wanted = Wanted(not is_untimed, leaves, fail_if_slower, junit_target)
        steps = RunSteps(
            ctx, source, folder, files, export_as, fold_as, verify_as, bench_as, wanted
        )
        steps.check()
        found, blocks = steps.go()
    steps.say("report", blocks)
    tell_ci(steps.shown, verification=found.verification, gates=steps.gates)
    # A gate on time says more than that some timing is open.
    is_gated = fail_if_slower is not None and not found.verification.exit_code
    code = 0 if is_gated else found.exit_code
    return conclude_with(ctx, steps.gates, code, found.reason)


@contextmanager
def _made(folder: Path) -> Iterator[None]:
    """The folder exists; if it is new and nothing gets into it, it goes again."""
    is_new = not folder.exists()
    folder.mkdir(exist_ok=True)
    try:
        yield
    finally:
        if is_new and not any(folder.iterdir()):
            folder.rmdir()
