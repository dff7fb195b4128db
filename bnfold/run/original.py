"""What a run begins with: a network to export, or an ONNX model in one of its forms."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

import onnx
import onnx_ir as ir

from bnfold import model_io


def is_network(source: object) -> bool:
    """Whether this is, or names, code or a program to export, and not an ONNX model."""
    if isinstance(source, onnx.ModelProto | ir.Model):
        return False
    if not isinstance(source, str | os.PathLike):
        return True
    name = os.fspath(source)
    return name.endswith(".pt2") or (":" in name and not Path(name).exists())


def on_disk(model: model_io.ModelSource, path: Path) -> Path:
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
