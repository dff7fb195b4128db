"""`bnfold.optimize`: the one call of a deployment; it writes nothing that is not verified."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bnfold import __version__, model_io
from bnfold.logs import logged
from bnfold.progress import Progress
from bnfold.record import json_form
from bnfold.run.original import is_network, named
from bnfold.run.records import RunResult
from bnfold.run.steps import Exporting, Folding, Verifying, through

if TYPE_CHECKING:
    import torch

    from bnfold.export.capture import Exporter
    from bnfold.export.dynamic import Dynamic
    from bnfold.fold.api import FoldResult
    from bnfold.model_io import ModelSource
    from bnfold.verify.user_data import Data

PROVENANCE = "bnfold."  # begins the keys in the metadata of a model


@logged
def optimize(
    source: torch.nn.Module | ModelSource,
    inputs: Any = None,
    target: str | os.PathLike[str] | None = None,
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
    dims: Mapping[str, int] | None = None,
    custom_ops: Sequence[str | os.PathLike[str]] = (),
    progress: Progress | None = None,
) -> RunResult:
    """The network is exported where need be, folded, found equivalent, and only then written.

    The folded model says in its metadata what made it: `bnfold.version`, `bnfold.rules`, and
    `bnfold.source_sha256` of a source that is a file. There is no time in it: the same input gives
    the same bytes. Calls are safe from several threads.

    Args:
        source: a torch module, what `export` takes by name, or an ONNX model: a path, a ModelProto
            or an onnx_ir.Model; it stays as it is, unless the target is the same file.
        inputs: to export with, as `export` takes them.
        target: where the folded model goes; None writes nothing.
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
        data: what to verify on, as `verify` takes it.
        samples: how many sets of inputs to verify on at most.
        seed: of made-up inputs.
        providers: "cpu", "cuda": where to verify.
        dims: sizes of further dynamic dimensions, by name or as "INPUT:AXIS".
        custom_ops: shared libraries with operators for onnxruntime.
        progress: called with (steps done, steps in all, what is being done), for each part anew.

    Returns:
        What each step found; `bench` is None, as nothing is timed.

    Raises:
        ModelsDifferError: the folded model, or the exported one, computes something else; nothing
            is written, and the sentence has the evidence.
        InconclusiveError: whether it does cannot be said; nothing is written.
        UsageError: a setting that there is not, or one for an export where nothing is exported.
        ModelError: the network, or the exporter, failed; or the target cannot be written.
        DataError: the inputs or the data do not fit.
        ProviderUnavailableError: a provider does not run here.
        MissingDependencyError: torch or onnxscript is not installed, where they are needed.
    """
    exporting = Exporting(inputs, weights, weights_key, dynamic, exporter, opset, fp16, trust)
    folding = Folding(allow, skip, repair, equalize)
    verifying = Verifying(data, samples, seed, providers, dims, custom_ops)
    with tempfile.TemporaryDirectory(prefix="bnfold-") as folder:
        found = through(source, Path(folder), exporting, folding, verifying, progress)
    found.verification.raise_if_different()
    folded = _with_provenance(found.fold, source)
    if target is not None:
        folded.save(target)
    settings = {
        "source": named(source),
        "export": exporting.told(),
        "fold": folding.told(),
        "verify": verifying.told(),
    }
    return RunResult(
        named(source), found.export, folded, found.verification, None, json_form(settings)
    )


def _with_provenance(folded: FoldResult, source: object) -> FoldResult:
    """The same result, whose model says what made it."""
    decisions = folded.ledger.folded
    rules = sorted({rule for decision in decisions for rule in decision.rules})
    told = {"version": __version__, "rules": ",".join(rules)}
    if isinstance(source, str | os.PathLike) and not is_network(source):
        told["source_sha256"] = model_io.sha256(source)
    for key, value in told.items():
        folded.model.metadata_props[f"{PROVENANCE}{key}"] = value
    return folded
