"""The ONNX model that a run begins with: the one that was given, in any form, or an export."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import onnx
import onnx_ir as ir

from bnfold import model_io
from bnfold.errors import UsageError
from bnfold.export.api import export
from bnfold.progress import Progress

if TYPE_CHECKING:
    from bnfold.export.dynamic import Dynamic
    from bnfold.export.records import ExportResult

Model = str | os.PathLike[str] | onnx.ModelProto | ir.Model


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


def is_network(source: object) -> bool:
    """Whether this is, or names, code or a program to export, and not an ONNX model."""
    if isinstance(source, onnx.ModelProto | ir.Model):
        return False
    if not isinstance(source, str | os.PathLike):
        return True
    name = os.fspath(source)
    return name.endswith(".pt2") or (":" in name and not Path(name).exists())


def on_disk(model: Model, path: Path) -> Path:
    """The model as a file: its own, or a new one at `path`."""
    if isinstance(model, str | os.PathLike):
        return Path(model)
    model_io.save(model_io.load(model), path)
    return path


def named(source: object) -> str:
    """What a sentence calls it."""
    if isinstance(source, str | os.PathLike):
        return os.fspath(source)
    if isinstance(source, onnx.ModelProto | ir.Model):
        return source.graph.name or "a model"
    return type(source).__name__


def listed(names: str | Collection[str]) -> list[str]:
    """One name, or several, as a list."""
    return [names] if isinstance(names, str) else list(names)
