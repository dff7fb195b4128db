"""The models to be measured: where they lie, what they are, and that they can be compared."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx_ir

from bnfold import model_io
from bnfold.bench.records import BenchModel
from bnfold.errors import ModelError, UsageError

ModelSource = str | os.PathLike[str] | onnx_ir.Model


@dataclass(frozen=True)
class InputSpec:
    """One graph input; `shape` holds ints, names of dynamic dimensions, and None for nameless ones.

    `shape` itself is None where the model does not tell the rank.
    """

    name: str
    dtype: str
    shape: tuple[int | str | None, ...] | None


@dataclass(frozen=True)
class Subject:
    """A model file with the name it goes by in tables, and the inputs it wants."""

    name: str
    path: Path
    inputs: tuple[InputSpec, ...]
    size_bytes: int


def subjects(models: Sequence[ModelSource], folder: Path) -> tuple[Subject, ...]:
    """A subject for each model; models in memory are written into `folder`.

    Raises:
        UsageError: there is no model.
        ModelError: a model cannot be read, or its inputs are not those of the first one.
    """
    if not models:
        raise UsageError("bench needs at least one model")
    paths = [_on_disk(model, folder / f"model{i}.onnx") for i, model in enumerate(models)]
    found = tuple(
        _subject(path, name) for path, name in zip(paths, _names(models, paths), strict=True)
    )
    for candidate in found[1:]:
        _require_same_inputs(found[0], candidate)
    return found


def described(subject: Subject, *, is_baseline: bool) -> BenchModel:
    """The record of a subject, with the hash of its bytes."""
    return BenchModel(
        name=subject.name,
        path=str(subject.path),
        role="baseline" if is_baseline else "candidate",
        size_bytes=subject.size_bytes,
        sha256=model_io.sha256(subject.path),
    )


def _on_disk(model: ModelSource, path: Path) -> Path:
    if isinstance(model, onnx_ir.Model):
        model_io.save(model, path)
        return path
    return Path(model)


def _names(models: Sequence[ModelSource], paths: Sequence[Path]) -> list[str]:
    """File names where they tell the models apart, else paths, else numbers behind them."""
    short = [
        (model.graph.name or f"model {i + 1}") if isinstance(model, onnx_ir.Model) else path.name
        for i, (model, path) in enumerate(zip(models, paths, strict=True))
    ]
    names = short
    if len(set(short)) < len(short):
        names = [
            name if isinstance(model, onnx_ir.Model) else str(path)
            for name, model, path in zip(short, models, paths, strict=True)
        ]
    seen: dict[str, int] = {}
    for i, name in enumerate(names):
        seen[name] = seen.get(name, 0) + 1
        if seen[name] > 1:
            names[i] = f"{name} ({seen[name]})"
    return names


def _subject(path: Path, name: str) -> Subject:
    model = model_io.load(path)
    inputs = tuple(_spec(value) for value in model.graph.inputs if not _has_default(model, value))
    size_bytes = sum(file.stat().st_size for file in {path.resolve(), *_data_files(path)})
    return Subject(name, path, inputs, size_bytes)


def _has_default(model: onnx_ir.Model, value: onnx_ir.Value) -> bool:
    """True for an input that is an initializer too: it need not be fed."""
    return value.name in model.graph.initializers


def _spec(value: onnx_ir.Value) -> InputSpec:
    dtype = value.dtype.name if value.dtype is not None else "UNDEFINED"
    if not isinstance(value.type, onnx_ir.TensorType):
        dtype = str(value.type)
    shape = value.shape
    dims = None if shape is None else tuple(_extent(d) for d in shape)
    return InputSpec(value.name or "", dtype, dims)


def _data_files(path: Path) -> set[Path]:
    """Every external data file that the initializers of the model and its bodies lie in."""
    return {
        Path(value.const_value.path).resolve()
        for graph in onnx_ir.load(path).graphs()
        for value in graph.initializers.values()
        if isinstance(value.const_value, onnx_ir.ExternalTensor)
    }


def _require_same_inputs(baseline: Subject, candidate: Subject) -> None:
    wanted = {spec.name: spec.dtype for spec in baseline.inputs}
    found = {spec.name: spec.dtype for spec in candidate.inputs}
    where = f"{candidate.name} cannot be compared with {baseline.name}"
    for name, dtype in wanted.items():
        if name not in found:
            raise ModelError(f"{where}: it has no input {name!r}; it has {_listed(found)}")
        if found[name] != dtype:
            raise ModelError(f"{where}: input {name!r} is {found[name]}, not {dtype}")
    more = [name for name in found if name not in wanted]
    if more:
        raise ModelError(f"{where}: it wants one more input, {more[0]!r}")


def _listed(names: dict[str, str]) -> str:
    return ", ".join(map(repr, names)) or "none"


def _extent(dim: int | onnx_ir.SymbolicDim) -> int | str | None:
    """A size, a name, or None; some exporters write -1 for an open extent."""
    if isinstance(dim, int):
        return dim if dim >= 0 else None
    return dim.value
