"""What a user could allow: which priced rewrites would fold what is left. Nothing is edited."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from itertools import combinations

from bnfold.fold.edit.rewriting import unfit
from bnfold.fold.plan import Plan
from bnfold.fold.question.search import Search
from bnfold.fold.rules import PRICES
from bnfold.fold.sources.source import Source


@dataclass(frozen=True)
class Advice:
    """Answers for one model, as it is.

    Attributes:
        search: makes the search at these prices.
        allowed: what is allowed already.
    """

    search: Callable[[frozenset[str]], Search]
    allowed: frozenset[str]

    def would_fold_with(self, source: Source) -> tuple[str, ...]:
        """The smallest allowances that would fold the source, each by itself.

        Names for `allow`; several that are needed together stand in one, separated by commas.
        """
        more = [price for price in PRICES if price not in self.allowed]
        for count in range(1, len(more) + 1):
            sets = [prices for prices in combinations(more, count) if self._folds(source, prices)]
            if sets:
                return tuple(",".join(prices) for prices in sets)
        return ()

    def _folds(self, source: Source, prices: Collection[str]) -> bool:
        found = self.search(self.allowed | frozenset(prices)).candidates(source)
        return any(isinstance(plan, Plan) and unfit(plan, "") is None for plan in found)
