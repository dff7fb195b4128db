"""A fold from its beginning to its end: inlined, settled, paid for, told of."""

from __future__ import annotations

from dataclasses import replace

import onnx_ir as ir

from bnfold.fold.account.accounting import Account
from bnfold.fold.account.ledger import Ledger
from bnfold.fold.account.size import size_of
from bnfold.fold.edit.declared import contradicted, forget_false_shapes
from bnfold.fold.edit.taken_branch import take_constant_branches
from bnfold.fold.folder import Folder
from bnfold.fold.question.asking import QuestionBudget
from bnfold.fold.rehearsal import Rehearsal
from bnfold.fold.rules import RULE_NAMES
from bnfold.fold.sources.inlining import inline_functions
from bnfold.fold.sources.skipped import skipped_in
from bnfold.progress import Progress

_WORK = 2_000  # looks at a node, or at a reader of it, for each node of the model
_LEAST_WORK = 200_000


def fold_in_place(
    model: ir.Model,
    allow: frozenset[str] = frozenset(),
    skip: frozenset[str] = frozenset(),
    *,
    equalize: bool = False,
    progress: Progress | None = None,
) -> Ledger:
    """The model is folded, and this is the account of it.

    Args:
        model: what is edited.
        allow: the priced rewrites that may be used.
        skip: names of nodes, of what unnamed nodes make, or of rules, that are left alone.
        equalize: even out what layers make and read, channel by channel, when all is folded.
        progress: see there.

    Raises:
        UsageError: `skip` has a name that stands for nothing.
    """
    kept = inline_functions(model)
    taken = take_constant_branches(model, skip)
    account = Account(model, kept, tuple(taken.gone), merges=list(taken.told))
    skipped = skipped_in(model, skip, RULE_NAMES)
    budget = QuestionBudget(_LEAST_WORK + _WORK * sum(1 for _ in model.graph.all_nodes()))
    folder = Folder.of(model, account, skipped, budget, progress)
    before, doubted = size_of(folder.facts), contradicted(folder.facts)
    folder.settle(frozenset())
    rehearsal = Rehearsal(folder, goes_on=bool(allow))
    if allow:  # only now: nothing is paid for that a merge opens the way to
        folder.settle(allow)
    account.allowances = rehearsal.advise(allow)
    equalized = folder.equalize() if equalize else ()
    ledger = account.ledger(before, size_of(folder.facts))
    if ledger.folded or ledger.merges or equalized:
        forget_false_shapes(folder.facts, doubted)
    return replace(ledger, equalized=equalized, unproven=tuple(folder.rewriting.unproven))
