"""Folding: `bnfold.fold(model)` is a call, and `bnfold.fold` the package of its parts."""

from bnfold.fold.account.ledger import Decision, Ledger, Numbers
from bnfold.fold.api import FoldResult, fold
from bnfold.fold.fold_pass import FoldBatchNorm
from bnfold.fold.plan import Refusal

__all__ = ["Decision", "FoldBatchNorm", "FoldResult", "Ledger", "Numbers", "Refusal", "fold"]
