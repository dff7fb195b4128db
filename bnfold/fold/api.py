"""`bnfold.fold`: a model in, a folded copy and its ledger out."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from dataclasses import dataclass

import onnx
import onnx_ir as ir

from bnfold import model_io
from bnfold.errors import InternalError, UsageError
from bnfold.fold.account.ledger import Ledger
from bnfold.fold.folder import Folder
from bnfold.fold.rules import PRICES, RULE_NAMES


@dataclass(frozen=True)
class FoldResult:
    """A folded model and the account of it.

    Attributes:
        model: the folded copy; its folded weights are computed when they are read or saved.
        ledger: a Decision for every batch norm.
    """

    model: ir.Model
    ledger: Ledger

    def save(self, path: str | os.PathLike[str], *, external_data: bool | None = None) -> None:
        """The folded model is at `path`, whole or not at all.

        Raises:
            ModelError: the file cannot be written.
        """
        model_io.save(self.model, path, external_data=external_data)

    def to_proto(self) -> onnx.ModelProto:
        """The folded model as a ModelProto, with its weights."""
        return model_io.to_proto(self.model)


def fold(
    model: str | os.PathLike[str] | onnx.ModelProto | ir.Model,
    *,
    allow: Collection[str] = (),
    skip: Collection[str] = (),
    strict: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> FoldResult:
    """Every batch norm that can be folded exactly is folded, in a copy of the model.

    Args:
        model: a path, a ModelProto or an onnx_ir.Model; it stays as it is.
        allow: priced rewrites to use where nothing else folds a batch norm: "constant-map",
            "clone", "rectifier", or "all"; one alone may be a plain string.
        skip: names of nodes or rules to leave alone; one alone may be a plain string.
        strict: raise where a rewrite does not prove itself, instead of leaving it out.
        progress: called with (done, total).

    Raises:
        ModelError: the model is missing, malformed or not supported.
        UsageError: `allow` has an unknown name, or `skip` one that nothing here bears.
        InternalError: with `strict`, a rewrite was wrong: a bug in bnfold.
    """
    allow = (allow,) if isinstance(allow, str) else allow
    skip = (skip,) if isinstance(skip, str) else skip
    unknown = set(allow) - {*PRICES, "all"}
    if unknown:
        raise UsageError(
            f"allow: unknown {', '.join(sorted(unknown))}; choose from {', '.join(PRICES)}, all"
        )
    allowed = frozenset(PRICES if "all" in allow else allow)
    copy = model_io.load(model)
    folder = Folder(copy, allowed, frozenset(skip), progress=progress)
    _check_names(skip, copy)
    ledger = folder.run()
    if strict and ledger.bugs:
        raise InternalError("a rewrite did not prove itself: " + "; ".join(ledger.bugs))
    return FoldResult(copy, ledger)


def _check_names(skip: Collection[str], model: ir.Model) -> None:
    """Refuses a name to skip that is no rule, no node and no tensor: a typo would skip nothing."""
    known = set(RULE_NAMES)
    for node in (node for graph in _bodies(model) for node in graph):
        known.update(value.name or "" for value in node.outputs)
        known.add(node.name or "")
    unknown = sorted(set(skip) - known)
    if unknown:
        raise UsageError(
            f"skip: {', '.join(unknown)} is neither a node of the model nor a rule; "
            "`bnfold inspect --all` lists the nodes"
        )


def _bodies(model: ir.Model) -> list[ir.Graph]:
    return [*model.graphs(), *(function.graph for function in model.functions.values())]
