"""The two models side by side: which kinds they are, and what can be said before any run."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

import onnx
import onnx_ir as ir

from bnfold.errors import UsageError
from bnfold.model_io import ModelSource, refuse_foreign
from bnfold.runtime.bounds import Bounds, bounds_of, goes_unchecked, table_sizes, wide_bounds
from bnfold.runtime.large_integers import LargeIntegers, large_integers
from bnfold.runtime.signature import TensorSpec
from bnfold.runtime.told_integers import ToldIntegers, told_integers
from bnfold.verify.ends import watch_ends
from bnfold.verify.reach import follows_numbers
from bnfold.verify.records import StructureRow
from bnfold.verify.scores import scores_behind
from bnfold.verify.seen_operators import is_narrow, random_node
from bnfold.verify.selections import Cut, cut_of, show_entering
from bnfold.verify.structure import (
    agreed_inputs,
    compare_inputs,
    compare_outputs,
    compare_structure,
    difference_sentence,
    fixed_sizes,
)
from bnfold.verify.subject import OnnxSubject, Subject

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Pair:
    """The original and the other model; the original may expose more than `returned`, see `scores`.

    Attributes:
        original: what the other model is measured against.
        other: the other model.
        made_for: the inputs as the original declares them.
        inputs: the same, an extent that the other model fixes fixed too: what both can take.
        returned: the outputs.
        structure: what can be said before any run.
        cut: where both select rows by their numbers, see `selections`.
        half: what the other model is judged as, see `half`.
    """

    original: Subject
    other: OnnxSubject
    made_for: tuple[TensorSpec, ...]
    inputs: tuple[TensorSpec, ...]
    returned: tuple[TensorSpec, ...]
    structure: tuple[StructureRow, ...]
    cut: Cut | None = None
    plain: tuple[Subject, OnnxSubject] | None = None
    """Both as they are, where they return more than that here."""
    half: ir.DataType | None = None
    other_ranks: tuple[tuple[TensorSpec, ...], ...] = ()
    """The inputs with other ranks that the original takes, where it declares none."""

    @property
    def onnx_models(self) -> list[OnnxSubject]:
        """Those of the two that are ONNX."""
        return [s for s in (self.original, self.other) if isinstance(s, OnnxSubject)]

    def bounds(self) -> Bounds:
        """For integer inputs, what both graphs can take."""
        return bounds_of([s.model for s in self.onnx_models], self.inputs)

    def wide_bounds(self, *, is_signed: bool) -> Bounds:
        """The same, where it is tried what an integer input takes that need not be 0 or 1."""
        models = [s.model for s in self.onnx_models]
        return wide_bounds(models, self.inputs, self.bounds(), is_signed=is_signed)

    def tables(self) -> dict[str, int]:
        """For each integer input that indexes a table of either graph, how many rows that has."""
        found: dict[str, int] = {}
        for subject in self.onnx_models:
            tables = table_sizes(subject.model, self.inputs, with_computed=True)
            for name, rows in tables.items():
                if not goes_unchecked(subject.model, name):
                    found[name] = min(rows, found.get(name, rows))
        return found

    def large_integers(self) -> LargeIntegers:
        """Which inputs may hold any integer, and which numbers the graphs name."""
        models = [s.model for s in self.onnx_models]
        return large_integers(models, self.inputs, self.wide_bounds(is_signed=True))

    def told(self) -> ToldIntegers:
        """What the export left of its integers, in the original or else in the other model."""
        return told_integers((s.model for s in self.onnx_models), self.inputs)

    def sizes(self, dims: Mapping[str, int]) -> dict[str, int]:
        """The caller's sizes, and those that only the other model fixes.

        Raises:
            UsageError: they contradict each other.
        """
        return {**dims, **fixed_sizes(self.made_for, self.inputs, dims)}

    def follows_numbers(self, output: str) -> bool:
        """Whether the output depends on the numbers that are fed, in either model.

        So it does as far as no graph says that it does not; a module says nothing.
        """
        if not isinstance(self.original, OnnxSubject):
            return bool(self.inputs)
        outputs = (value for s in self.onnx_models for value in s.model.graph.outputs)
        return any(follows_numbers(value) for value in outputs if value.name == output)

    def randomness(self) -> str | None:
        """The first node of either model that draws random numbers, or None."""
        return next(filter(None, (random_node(s.model) for s in self.onnx_models)), None)

    def hashes(self) -> tuple[tuple[str, str], ...]:
        """File names with the hash of their content, for models that came as files."""
        pairs = [(s.path, s.sha256()) for s in self.onnx_models]
        return tuple((str(path), digest) for path, digest in pairs if digest is not None)


class TorchCode(NamedTuple):
    """How an original that is torch code becomes a module, as `load_module` takes it."""

    weights: str | os.PathLike[str] | None = None
    weights_key: str | None = None
    trust: bool = False


_AS_IT_IS = TorchCode()


def pair(
    a: ModelSource | torch.nn.Module,
    b: ModelSource,
    *,
    has_custom_ops: bool,
    code: TorchCode = _AS_IT_IS,
    names: Mapping[str, str] | None = None,
    repair: Collection[str] = (),
    half: ir.DataType | None = None,
) -> Pair:
    """Both models loaded and their structures compared; `names` has those of `b` by those of `a`.

    `code` is for an `a` of torch. `repair` has what is mended in `a` first. `half` is what `b` is
    judged as.

    Raises:
        ModelError: one cannot be loaded, or one has operators that nobody here knows.
        UsageError: a name of `b` is that of no input or output; a repair is unknown; weights
            for an ONNX model; what is to be
            judged in half precision is no ONNX model in float32.
    """
    other = OnnxSubject(b, "other")
    other.rename(names or {})
    if half is not None:
        other.widen(half)
    original: Subject
    if isinstance(a, onnx.ModelProto | ir.Model) or not _is_torch(a):
        if code.weights is not None or code.weights_key is not None:
            raise UsageError("weights: they are for torch code; an ONNX model has its own")
        original = OnnxSubject(cast(ModelSource, a), "original")
        original.repair(repair)
    elif repair:
        raise UsageError("repair: a torch module has nothing that an exporter wrote")
    else:
        original = _torch_subject(cast("str | torch.nn.Module", a), other, code)
    if isinstance(original, OnnxSubject):
        _require_ends(names or {}, original, other)
    if half is not None:
        require_float32(original, half)
    rows: list[StructureRow] = []
    made_for = inputs = other.inputs
    if isinstance(original, OnnxSubject):
        made_for = original.inputs
        rows += compare_inputs(made_for, other.inputs)
        if difference_sentence(rows) is None:
            inputs = agreed_inputs(made_for, other.inputs)
        rows += compare_outputs(original.outputs, other.outputs)
        rows += compare_structure(original.model, other.model)
    found = Pair(original, other, made_for, inputs, original.outputs, tuple(rows), half=half)
    if isinstance(original, OnnxSubject) and difference_sentence(rows) is None:
        watch_ends(original, other, found.large_integers().names, half)
        found = replace(found, plain=(original.copy(), other.copy()))
        for score in scores_behind(original.model, other.model, through_casts=half is not None):
            original.copy_out(score.ours, score.name, score.dtype, score.classes)
            other.copy_out(score.theirs, score.name, score.dtype, score.classes)
        found = replace(found, cut=cut_of(original, other))
        if found.cut is not None:
            show_entering(found.cut, original)
    if not has_custom_ops:
        for subject in found.onnx_models:
            refuse_foreign(subject.model, subject.name)
    return found


def _require_ends(names: Mapping[str, str], original: OnnxSubject, other: OnnxSubject) -> None:
    """Returns where each name is that of an input of both, or of an output of both.

    Raises:
        UsageError: the original has none of that name, or the other way round.
    """
    ours, theirs = (
        ({spec.name for spec in one.inputs}, {spec.name for spec in one.outputs})
        for one in (original, other)
    )
    for name, old in names.items():
        if name not in ours[0] | ours[1]:
            known = ", ".join(map(repr, sorted(ours[0]) + sorted(ours[1] - ours[0])))
            raise UsageError(f"{name}={old}: the original has {known}, and no {name!r}")
        if not any(
            name in there and name in here for there, here in zip(ours, theirs, strict=True)
        ):
            raise UsageError(f"{name}={old}: one is an input, and the other is an output")


def require_float32(original: Subject, half: ir.DataType) -> None:
    """Returns where the rounding of the original in half precision can be told.

    Raises:
        UsageError: it is no ONNX model, or has other real numbers than float32.
    """
    name = half.name.lower()
    if not isinstance(original, OnnxSubject):
        raise UsageError(f"as {name}: the original must be ONNX; export it first")
    ends = (*original.inputs, *original.outputs)
    if is_narrow(original.model) or not any(spec.dtype == "float32" for spec in ends):
        raise UsageError(f"as {name}: the original must be in float32, and {original.name} is not")


def _is_torch(a: object) -> bool:
    """Whether it is a module or names one; torch is not imported to find out."""
    if isinstance(a, str | os.PathLike):
        text = os.fspath(a)
        return (not Path(text).exists() and ":" in text) or text.endswith(".pt2")
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(a, torch.nn.Module)


def _torch_subject(a: str | torch.nn.Module, other: OnnxSubject, code: TorchCode) -> Subject:
    from bnfold.torch_code.spec import load_module
    from bnfold.verify.torch_subject import TorchSubject

    loaded = load_module(a, code.weights, weights_key=code.weights_key, trust=code.trust)
    return TorchSubject(loaded.module, other.inputs, other.outputs, loaded.name)
