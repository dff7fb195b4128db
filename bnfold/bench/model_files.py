"""The models to be measured: where they lie, what they are, and that they can be compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import onnx
import onnx_ir

from bnfold import model_io
from bnfold.bench.records import BenchModel, Role
from bnfold.errors import ModelError, UsageError
from bnfold.model_io import ModelSource
from bnfold.runtime.bounds import Bounds, bounds_of
from bnfold.runtime.engine import Setting
from bnfold.runtime.loops import seconds_for
from bnfold.runtime.sessions import Session
from bnfold.runtime.signature import Array, TensorSpec, inputs_of
from bnfold.runtime.told_integers import ToldIntegers, told_integers
from bnfold.typed.room import require_room


@dataclass(frozen=True)
class ModelFile:
    """A model file with the name it goes by in tables, and the inputs it wants.

    `bounds` says for integer inputs what they may hold, and `told` what those of the export held;
    `seconds` how long a run may take. `engine` is what runs it, and `role` why it is here.
    """

    name: str
    path: Path
    inputs: tuple[TensorSpec, ...]
    size_bytes: int
    bounds: Bounds = field(default_factory=dict)
    told: ToldIntegers = field(default_factory=dict)
    seconds: float | None = None
    role: Role = "candidate"
    engine: str = ""

    @property
    def may_fail(self) -> bool:
        """Whether the measurement goes on without it."""
        return self.role in ("floor", "peer", "export")


def model_files(
    models: Sequence[ModelSource], folder: Path, *, has_custom_ops: bool = False
) -> tuple[ModelFile, ...]:
    """A subject for each model; models in memory are written into `folder`.

    Raises:
        UsageError: there is no model.
        ModelError: a model cannot be read, its inputs are not those of the first one, or it has
            operators that nobody has and `has_custom_ops` does not bring.
    """
    if not models:
        raise UsageError("bench needs at least one model")
    models = [onnx_ir.from_proto(m) if isinstance(m, onnx.ModelProto) else m for m in models]
    paths = [on_disk(model, folder / f"model{i}.onnx") for i, model in enumerate(models)]
    found = tuple(
        _subject(path, name, has_custom_ops=has_custom_ops)
        for path, name in zip(paths, _names(models, paths), strict=True)
    )
    for candidate in found[1:]:
        _require_same_inputs(found[0], candidate)
    return (replace(found[0], role="baseline"), *found[1:])


def joined(baseline: ModelFile, path: Path, name: str, *, role: Role) -> ModelFile:
    """A file that is to be measured beside the baseline, under this name.

    Raises:
        ModelError: it cannot be read, or its inputs are not those of the baseline.
    """
    found = replace(_subject(path, name, has_custom_ops=True), role=role)
    _require_same_inputs(baseline, found)
    return found


def require_end(found: Sequence[ModelFile], feeds: Mapping[str, Array], setting: Setting) -> None:
    """Returns where each model that has a Loop ends within its time, run once.

    Raises:
        InconclusiveError: one does not.
    """
    for subject in found:
        if subject.seconds is not None:
            session = Session(
                str(subject.path), setting, name=subject.name, seconds=subject.seconds
            )
            session.run(feeds)


def described(subject: ModelFile) -> BenchModel:
    """The record of a subject, with the hash of its bytes."""
    return BenchModel(
        name=subject.name,
        path=str(subject.path),
        role=subject.role,
        size_bytes=subject.size_bytes,
        sha256=model_io.sha256(subject.path),
    )


def same_files(models: Sequence[BenchModel]) -> tuple[str, ...]:
    """A sentence for each model that is the baseline itself, byte for byte."""
    return tuple(
        f"{model.name} and {models[0].name} are the same file, byte for byte: "
        "whatever differs between them is noise"
        for model in models[1:]
        if model.sha256 == models[0].sha256 and model.path != models[0].path
    )


def on_disk(model: ModelSource, path: Path) -> Path:
    """The model's own file, or `path` where one in memory was written to it."""
    if isinstance(model, onnx.ModelProto):
        model = onnx_ir.from_proto(model)
    if isinstance(model, onnx_ir.Model):
        model_io.save(model, path)
        return path
    model_io.require_model(model)
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


def _subject(path: Path, name: str, *, has_custom_ops: bool) -> ModelFile:
    model = model_io.load(path)
    if not has_custom_ops:
        model_io.refuse_foreign(model, name)
    inputs = inputs_of(model)
    require_room(model, name)
    size_bytes = sum(file.stat().st_size for file in model_io.files_of(path))
    bounds = bounds_of([model], inputs)
    told = told_integers([model], inputs)
    return ModelFile(name, path, inputs, size_bytes, bounds, told, seconds_for(model))


def _require_same_inputs(baseline: ModelFile, candidate: ModelFile) -> None:
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
