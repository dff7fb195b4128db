"""Folding as a pass that composes with `onnx_ir.passes`."""

from __future__ import annotations

from collections.abc import Collection

import onnx_ir as ir

from bnfold import arguments
from bnfold.fold.account.ledger import Ledger
from bnfold.fold.in_place import fold_in_place
from bnfold.fold.rules import allowed


class FoldBatchNorm(ir.passes.InPlacePass):
    """Folds every batch norm that can be folded exactly, in place.

    Args:
        allow: priced rewrites that may be used, as for `bnfold.fold`.
        skip: names of nodes or rules to leave alone, as for `bnfold.fold`.

    Attributes:
        ledger: the account of the last model; empty before the first.

    Raises:
        UsageError: `allow` has an unknown name; when called, `skip` one that the model has not.
    """

    def __init__(
        self, *, allow: str | Collection[str] = (), skip: str | Collection[str] = ()
    ) -> None:
        super().__init__()
        self._allow = allowed(allow)
        self._skip = frozenset(arguments.names("skip", skip))
        self.ledger = Ledger()

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """The model, folded, and whether anything changed."""
        functions = len(model.functions)  # those around batch norms are inlined first
        self.ledger = fold_in_place(model, self._allow, self._skip)
        changed = self.ledger.folded or self.ledger.merges or len(model.functions) < functions
        return ir.passes.PassResult(model, modified=bool(changed))
