"""`bnfold.run`: a network in; its folded model, the verdict and the timing out."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bnfold import arguments
from bnfold.bench.api import bench
from bnfold.bench.asked import LEVELS
from bnfold.logs import logged
from bnfold.progress import Progress
from bnfold.record import json_form
from bnfold.run.original import named
from bnfold.run.records import RunResult
from bnfold.run.steps import Exporting, Folding, Verifying, through
from bnfold.runtime.sessions import require_setting

if TYPE_CHECKING:
    import torch

    from bnfold.export.capture import Exporter
    from bnfold.export.dynamic import Dynamic
    from bnfold.model_io import ModelSource
    from bnfold.verify.user_data import Data


@logged
def run(
    source: torch.nn.Module | ModelSource,
    inputs: Any = None,
    *,
    weights: str | os.PathLike[str] | None = None,
    weights_key: str | None = None,
    dynamic: Dynamic | None = None,
    exporter: Exporter = "auto",
    opset: int | None = None,
    fp16: bool = False,
    trust: bool = False,
    allow: str | Collection[str] = (),
    skip: str | Collection[str] = (),
    repair: str | Collection[str] = (),
    equalize: bool = False,
    data: Data | None = None,
    samples: int | None = None,
    seed: int = 0,
    providers: str | Sequence[str] = ("cpu",),
    threads: int | Sequence[int] = 1,
    batch: int | Sequence[int] | None = None,
    levels: str | Sequence[str] | None = None,
    pairs: int | None = None,
    dims: Mapping[str, int] | None = None,
    custom_ops: Sequence[str | os.PathLike[str]] = (),
    against: str | Sequence[str] = (),
    floor: bool = False,
    progress: Progress | None = None,
) -> RunResult:
    """The network is exported where need be, folded, verified, and timed against the original.

    A model that comes out different is not timed. A network that is exported here is timed as
    `torch.onnx.export` writes it by default, too. Nothing is written: `save` of the result does.

    Args:
        source: a torch module, what `export` takes by name, or an ONNX model: a path, a ModelProto
            or an onnx_ir.Model.
        inputs: to export with, as `export` takes them.
        weights: to load into a module first, as `export` takes them.
        weights_key: which of several sets of weights in that file.
        dynamic: dimensions of the export that may vary, as `export` takes them.
        exporter: "auto", "dynamo" or "torchscript", as `export` takes it.
        opset: of the export.
        fp16: export in float16.
        trust: a `.pt2` program may run code of its author, which reading one does.
        allow: priced rewrites, as `fold` takes them.
        skip: names of nodes or rules to leave alone.
        repair: what to mend first, as `fold` takes it; the fold is compared with what is mended.
        equalize: even out the channels of neighbouring layers too, as `fold` does.
        data: what to verify and to time on, as `verify` and `bench` take it.
        samples: how many sets of inputs to verify on at most.
        seed: of made-up inputs, and of the timing.
        providers: "cpu", "cuda"; each is verified and timed, the first is the headline.
        threads: to time with, inside one operator.
        batch: the size of a dynamic first dimension, to time with.
        levels: the optimisations to time with, as `bench` takes them; verified is with those that
            `verify` takes by itself.
        pairs: the number of paired measurements, as `bench` takes it.
        dims: sizes of further dynamic dimensions, by name or as "INPUT:AXIS".
        custom_ops: shared libraries with operators for onnxruntime.
        against: other optimisers to time beside, as `bench` takes them.
        floor: time the original without its batch norms too, as `bench` does.
        progress: called with (steps done, steps in all, what is being done), for each part anew.

    Raises:
        UsageError: a setting that there is not, or one for an export where nothing is exported.
        ModelError: the network, or the exporter, failed; or the model does not run.
        DataError: the inputs or the data do not fit.
        ProviderUnavailableError: a provider does not run here.
        ModelsDifferError: the exported graph computes something else than the module.
        MissingDependencyError: torch or onnxscript is not installed, where they are needed.
    """
    providers = arguments.names("providers", providers)
    levels = None if levels is None else arguments.names("levels", levels)
    require_setting(providers, levels or LEVELS, arguments.paths("custom_ops", custom_ops))
    exporting = Exporting(
        inputs, weights, weights_key, dynamic, exporter, opset, fp16, trust, by_default=True
    )
    folding = Folding(allow, skip, repair, equalize)
    verifying = Verifying(data, samples, seed, providers, dims, custom_ops)
    timed = None
    with tempfile.TemporaryDirectory(prefix="bnfold-") as folder:
        found = through(source, Path(folder), exporting, folding, verifying, progress)
        if found.verification.verdict != "different":
            timed = bench(
                [found.original, found.folded], providers=providers, threads=threads, batch=batch,
                levels=levels, pairs=pairs, seed=seed, data=data, dims=dims, custom_ops=custom_ops,
                against=against, floor=floor, progress=progress,
                exported=None if found.export is None else found.export.by_default,
            )  # fmt: skip
    settings = {
        "source": named(source),
        "export": exporting.told(),
        "fold": folding.told(),
        "verify": verifying.told(),
        "bench": {"threads": threads, "batch": batch, "levels": levels, "pairs": pairs},
    }
    return RunResult(
        named(source), found.export, found.fold, found.verification, timed, json_form(settings)
    )
