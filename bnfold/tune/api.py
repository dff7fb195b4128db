"""`bnfold.tune`: a fold that keeps what is faster on this target, and nothing else."""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from bnfold import arguments, model_io
from bnfold.bench.api import bench
from bnfold.bench.records import BenchResult
from bnfold.errors import UsageError
from bnfold.fold.api import FoldResult
from bnfold.logs import logged
from bnfold.model_io import ModelSource
from bnfold.progress import Progress
from bnfold.tune.state import TuningState
from bnfold.tune.tuning import Tuning
from bnfold.verify.user_data import Data

TARGETS = ("cpu", "cuda", "int8")


@logged
def tune(
    model: ModelSource,
    *,
    target: str = "cpu",
    int8: Data | None = None,
    python: str | os.PathLike[str] | None = None,
    budget: float | None = None,
    skip: str | Collection[str] = (),
    threads: int = 1,
    batch: int | None = None,
    dims: Mapping[str, int] | None = None,
    pairs: int = 40,
    state: str | os.PathLike[str] | None = None,
    runtime: str | None = None,
    progress: Progress | None = None,
) -> FoldResult:
    """The model is folded, with those rewrites that have a price and are faster on this target.

    Each is measured in pairs against the model without it. What is faster as a whole is kept; what
    is not is tried by halves of its batch norms. "No difference" is never kept. What is free comes
    first and as a whole, merges included: it is kept unless it is slower than the original, and
    of what is slower a half that is faster. In int8, what takes the model 3 dB further from the
    float model is not kept. The ledger's `tried` tells all.

    Args:
        model: a path, a ModelProto or an onnx_ir.Model; it stays as it is.
        target: "cpu" or "cuda", in the model's own types; "int8": on the CPU, quantised by
            onnxruntime's static quantiser.
        int8: calibration data for that, as `bnfold.bench` takes it.
        python: an interpreter whose onnxruntime is to be measured; without, this one.
        budget: seconds after which nothing more is tried; what is left is said.
        skip: names of nodes or rules to leave alone, as `bnfold.fold` takes them.
        threads: threads inside one operator.
        batch: the size of a dynamic first dimension.
        dims: sizes of further dynamic dimensions.
        pairs: paired measurements of each rewrite.
        state: a file that keeps what was measured; with it, a tuning that was stopped goes on.
        runtime: a release that has to load the model, as `bnfold.fold` takes it.
        progress: called with (steps done, steps in all, what is being done).

    Raises:
        UsageError: a setting makes no sense, or the Python cannot measure.
        ModelError: the model cannot be read, folded or run.
        DataError: calibration data that does not fit, or a state of another tuning.
        ProviderUnavailableError: the target is not on this machine.
    """
    _require(target, int8, budget)
    skipped = frozenset(arguments.names("skip", skip))
    with tempfile.TemporaryDirectory(prefix="bnfold-") as name:
        folder = Path(name)
        called = Path(model).name if isinstance(model, str | os.PathLike) else "original.onnx"
        original = folder / "original" / called
        original.parent.mkdir()
        model_io.save(model_io.load(model), original)
        key = {"sha256": model_io.sha256(original), "target": target, "threads": threads,
               "batch": batch, "dims": dict(dims or {}), "pairs": pairs, "skip": sorted(skipped),
               "python": None if python is None else os.fspath(python)}  # fmt: skip
        kept = TuningState(None if state is None else Path(state), key)
        kept.read()

        def measure(paths: Sequence[Path]) -> BenchResult:
            return bench(
                paths,
                providers="cuda" if target == "cuda" else "cpu",
                threads=threads,
                batch=batch,
                levels="all",
                pairs=pairs,
                dims=dims,
                int8=int8 if target == "int8" else None,
                pythons=() if python is None else (python,),
            )

        found = Tuning(original, folder, skipped, measure, kept, budget, progress).run()
        return found if runtime is None else found.for_release(runtime)


def _require(target: str, int8: Data | None, budget: float | None) -> None:
    if target not in TARGETS:
        raise UsageError(f"unknown target {target!r}: choose from {', '.join(TARGETS)}")
    if (target == "int8") != (int8 is not None):
        raise UsageError(
            "the target int8 needs calibration data, and no other target takes it: "
            "--calibration DATA (int8=... in Python)"
        )
    if budget is not None and not (budget > 0 and math.isfinite(budget)):
        raise UsageError(f"the budget must be a number of seconds above 0, not {budget:g}")
