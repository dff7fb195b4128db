"""`bnfold.fold`: a model in, a folded copy and its ledger out."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import onnx
import onnx_ir as ir

from bnfold import arguments, model_io
from bnfold.errors import InconclusiveError, InternalError
from bnfold.fold.account.ledger import Ledger
from bnfold.fold.account.told_opinion import Opinion
from bnfold.fold.edit.flushing import count_subnormals
from bnfold.fold.edit.flushing import flush_subnormals as flush_in_place
from bnfold.fold.in_place import fold_in_place
from bnfold.fold.opinion.answers import Answers
from bnfold.fold.opinion.beside import heard_beside
from bnfold.fold.opinion.original_model import Original
from bnfold.fold.opinion.second import second_opinion
from bnfold.fold.rules import allowed
from bnfold.fold.sources.repair import repair as repair_in_place
from bnfold.logs import logged
from bnfold.notebook_display import Shown
from bnfold.progress import Progress
from bnfold.runtime.blas_threads import one_blas_thread
from bnfold.runtime.releases import release
from bnfold.runtime.sessions import require_setting


@dataclass(frozen=True)
class FoldResult(Shown):
    """A folded model and the account of it.

    Attributes:
        model: the folded copy; its folded weights are computed when they are read or saved.
        ledger: a Decision for every batch norm.
        loads: what the release that was asked for loads of it, as a sentence; else empty.
    """

    model: ir.Model
    ledger: Ledger
    loads: str = ""

    def save(self, path: str | os.PathLike[str], *, external_data: bool | None = None) -> Path:
        """The folded model is at `path`, whole or not at all; the path is returned.

        Raises:
            ModelError: the file cannot be written.
            UsageError: `path` is none.
        """
        target = Path(arguments.path("path", path))
        model_io.save(self.model, target, external_data=external_data)
        return target

    def for_release(self, runtime: str) -> FoldResult:
        """The same for a release of the runtime: the model gets an IR version that it knows.

        Raises:
            ModelError: the model needs more than that release loads.
        """
        return replace(self, loads=release(runtime).fit(self.model, "the model"))

    def to_proto(self) -> onnx.ModelProto:
        """The folded model as a ModelProto, with its weights."""
        return model_io.to_proto(self.model)

    def to_dict(self) -> dict[str, Any]:
        """The ledger as JSON values."""
        return self.ledger.to_dict()

    def __getstate__(self) -> dict[str, Any]:
        """For pickle: the model as its bytes, its folded weights computed."""
        return {**self.__dict__, "model": model_io.packed(self.model)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, model=model_io.unpacked(state["model"]))

    def __repr__(self) -> str:
        """One line."""
        return f"<FoldResult {self.ledger.summary}>"


@logged
def fold(
    model: str | os.PathLike[str] | onnx.ModelProto | ir.Model,
    *,
    allow: str | Collection[str] = (),
    skip: str | Collection[str] = (),
    repair: str | Collection[str] = (),
    flush_subnormals: bool = False,
    equalize: bool = False,
    strict: bool = False,
    check: bool = True,
    custom_ops: Sequence[str | os.PathLike[str]] = (),
    runtime: str | None = None,
    progress: Progress | None = None,
) -> FoldResult:
    """Every batch norm that can be folded exactly is folded, in a copy of the model.

    Args:
        model: a path, a ModelProto or an onnx_ir.Model; it stays as it is.
        allow: priced rewrites to use where nothing else folds a batch norm: "constant-map",
            "clone", "rectifier", "cast", or "all"; one alone may be a plain string.
        skip: names of nodes or rules to leave alone; one alone may be a plain string.
        repair: what to mend first, by name, "spatial" or "inference": it changes what the model
            computes, and is told in the ledger; see `repaired`.
        flush_subnormals: folded float32 weights below 1.2e-38 become 0; they are counted anyhow.
        equalize: then move scales between neighbouring layers, by powers of two and so without any
            rounding, until the channels of what they make and read are alike: int8 keeps more.
        strict: raise where a rewrite does not prove itself, instead of leaving it out.
        check: compare the whole model before and after in onnxruntime too, where it runs there.
        custom_ops: shared libraries with operators for onnxruntime, for that comparison.
        runtime: a release that has to load it, such as "onnxruntime==1.17": the model gets an IR
            version that it knows.
        progress: called with (steps done, steps in all, what is being done).

    Raises:
        ModelError: the model is missing, malformed or not supported, or needs more than `runtime`
            loads.
        UsageError: `allow` has an unknown name, or `skip` one that nothing here bears; a library
            of `custom_ops` is not there, or does not load.
        InternalError: a bug in bnfold: the folded model differs by more than rounding explains, or,
            with `strict`, a rewrite was wrong.
        InconclusiveError: with `strict`, a rewrite could not be proven; rounding takes too many
            digits from what the folded model computes.
    """
    libraries = arguments.paths("custom_ops", custom_ops)
    skipped = frozenset(arguments.names("skip", skip))
    require_setting(["cpu"], ["none"], libraries)
    copy = model_io.load(model)
    loads = "" if runtime is None else release(runtime).fit(copy, _name_of(model))
    repairs = repair_in_place(copy, arguments.names("repair", repair))
    source = repaired(model, repair) if repairs else model
    original = Original.of(source, copy, libraries) if check else None
    with heard_beside(original) as answers, one_blas_thread():
        ledger = fold_in_place(copy, allowed(allow), skipped, equalize=equalize, progress=progress)
    small = flush_in_place(copy) if flush_subnormals else count_subnormals(copy)
    ledger = replace(ledger, repairs=repairs, subnormals=small, flushed=flush_subnormals)
    if strict and ledger.bugs:
        raise InternalError("a rewrite did not prove itself: " + "; ".join(ledger.bugs))
    if strict and ledger.unproven:
        raise InconclusiveError("a rewrite was not made: " + "; ".join(ledger.unproven))
    if original is not None and (ledger.folded or ledger.merges or ledger.equalized):
        ledger = replace(ledger, opinion=_asked(original, answers(), copy))
    return FoldResult(copy, ledger, loads)


def _name_of(model: model_io.ModelSource) -> str:
    is_path = isinstance(model, str | os.PathLike)
    return os.fspath(model) if is_path else "the model"  # type: ignore[arg-type]


def repaired(model: model_io.ModelSource, kinds: str | Collection[str]) -> ir.Model:
    """A copy of the model in which the exporter's mistakes of these kinds are mended.

    It computes something else than the model, and is what a fold with `repair` is compared with.

    Args:
        model: a path, a ModelProto or an onnx_ir.Model; it stays as it is.
        kinds: "spatial": before opset 9, spatial = 0 with one number for each channel, which is no
            valid model, becomes spatial = 1; "inference": a batch norm in training mode uses its
            stored statistics, unless the new ones are read.

    Raises:
        ModelError: the model is missing, malformed or not supported.
        UsageError: a kind is unknown.
    """
    copy = model_io.load(model)
    repair_in_place(copy, arguments.names("kinds", kinds))
    return copy


def _asked(original: Original, answers: Answers | Opinion, folded: ir.Model) -> Opinion:
    """What onnxruntime says of the fold.

    Raises:
        InternalError: that it computes something else.
        ModelError: that an operator of its own is called as a function of the model.
        InconclusiveError: that rounding leaves too little of it.
    """
    if isinstance(answers, Opinion):
        return answers
    opinion = second_opinion(original, answers, folded)
    if not opinion.agrees:
        raise InternalError(
            f"the folded model differs from the original in {opinion.runtime} by "
            f"{opinion.error:.1e} of the largest value, where rounding explains "
            f"{opinion.explained:.1e}: a bug in bnfold, please report it; nothing is handed out"
        )
    return opinion


@logged
def inspect(
    model: str | os.PathLike[str] | onnx.ModelProto | ir.Model,
    *,
    allow: str | Collection[str] = (),
    skip: str | Collection[str] = (),
    repair: str | Collection[str] = (),
    progress: Progress | None = None,
) -> Ledger:
    """Where each batch norm would go, or why it stays; the model stays as it is.

    Args:
        model: a path, a ModelProto or an onnx_ir.Model.
        allow: priced rewrites that `fold` would be allowed.
        skip: names of nodes or rules that `fold` would leave alone.
        repair: what `fold` would mend first, by name.
        progress: called with (steps done, steps in all, what is being done).

    Raises:
        ModelError: the model is missing, malformed or not supported.
        UsageError: `allow` has an unknown name, or `skip` one that nothing here bears.
    """
    result = fold(model, allow=allow, skip=skip, repair=repair, check=False, progress=progress)
    return result.ledger
