"""Copies of a model are folded, to tell what could be allowed."""

from __future__ import annotations

from dataclasses import replace

from bnfold.fold.account.accounting import Account
from bnfold.fold.account.allowance import Allowance
from bnfold.fold.account.size import size_of
from bnfold.fold.advice import Advice, Rehearsed, spelt
from bnfold.fold.folder import Folder
from bnfold.fold.question.asking import QuestionBudget
from bnfold.fold.rules import PRICES

_REHEARSAL = 96  # looks for each node, when a copy is folded for advice: networks take up to 60
_LEAST_REHEARSAL = 10_000
_LARGEST = 1 << 20  # entries of a tensor that are looked at then
_STEP = 64  # looks that take as long as a step of a plan that is carried out and proven


class Rehearsal:
    """Folds of copies of a model as it is now, settled without a price.

    Args:
        folder: of the model.
        goes_on: whether the model is folded further.
    """

    def __init__(self, folder: Folder, *, goes_on: bool) -> None:
        self._folder = folder
        model = folder.facts.model
        self._model = model.clone() if goes_on else model
        self._places = {node: place for place, node in enumerate(model.graph.all_nodes())}
        enough = _LEAST_REHEARSAL + _REHEARSAL * len(self._places)
        self._work = min(folder.budget.left, enough)

    def advise(self, allowed: frozenset[str]) -> tuple[Allowance, ...]:
        """What more could be allowed; each batch norm that is left is told what would fold it.

        Args:
            allowed: at which the folder has settled.
        """
        left = {
            self._places[entry.node]: entry
            for entry in self._folder.account.entries
            if entry.is_open and entry.op == "BatchNormalization"
        }
        if not left:
            return ()
        advice = Advice(lambda more: self._rehearsed(allowed | more))
        advice.find(left, frozenset(PRICES) - allowed, self._folder.declined(allowed))
        for place, sets in advice.smallest.items():
            left[place].would_fold_with = tuple(map(spelt, sets))
        names = {place: entry.name for place, entry in left.items()}
        return tuple(advice.allowances(names, size_of(self._folder.facts)))

    def _rehearsed(self, prices: frozenset[str]) -> Rehearsed:
        """What comes of a copy; what goes wrong there is told by the fold that is asked for it."""
        copy = self._model.clone()
        nodes = list(copy.graph.all_nodes())
        skipped = {
            nodes[self._places[node]] for node in self._folder.skipped.nodes if node in self._places
        }
        budget = QuestionBudget(self._work, each_step=_STEP)
        chosen = replace(self._folder.skipped, nodes=frozenset(skipped))
        folder = Folder.of(copy, Account(copy), chosen, budget, largest=_LARGEST)
        places = {node: place for place, node in enumerate(nodes)}
        folder.settle(prices)
        gone = frozenset(
            places[entry.node]
            for entry in folder.account.entries
            if not entry.is_open and entry.op == "BatchNormalization"
        )
        return Rehearsed(
            gone, folder.declined(prices), None if budget.is_over else size_of(folder.facts)
        )
