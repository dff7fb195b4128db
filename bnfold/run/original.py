"""The ONNX model that a run begins with: the one that was given, or the network's export."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from bnfold.errors import UsageError
from bnfold.export.api import export
from bnfold.progress import Progress
from bnfold.run.sources import is_network

if TYPE_CHECKING:
    from bnfold.export.dynamic import Dynamic
    from bnfold.export.records import ExportResult


def original_of(
    source: Any,
    inputs: Any,
    *,
    weights: str | os.PathLike[str] | None,
    weights_key: str | None,
    dynamic: Dynamic | None,
    opset: int | None,
    fp16: bool,
    trust: bool,
    seed: int,
    progress: Progress | None,
) -> tuple[ExportResult | None, Any]:
    """What the export found, None where nothing is exported; and the model.

    Raises:
        UsageError: a setting for an export where nothing is exported.
        BnfoldError: the export failed; see `bnfold.export`.
    """
    if is_network(source):
        exported = export(
            source, inputs, None, weights=weights, weights_key=weights_key, dynamic=dynamic,
            opset=opset, fp16=fp16, trust=trust, seed=seed, progress=progress,
        )  # fmt: skip
        return exported, exported.model
    if inputs is not None or weights is not None or dynamic is not None or opset or fp16:
        raise UsageError("the source is an ONNX model already: there is nothing to export")
    return None, source
