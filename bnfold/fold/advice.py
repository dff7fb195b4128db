"""What a user could allow: which priced rewrites would fold what is left. Nothing is edited."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from itertools import combinations

from bnfold.fold.edit.rewriting import unfit
from bnfold.fold.plan import Plan
from bnfold.fold.question.search import Search
from bnfold.fold.rules import PRICES
from bnfold.fold.sources.source import Source

_LARGEST = 1 << 20  # entries of a tensor that an answer looks at


@dataclass(frozen=True)
class Advice:
    """Answers for one model, as it is.

    Attributes:
        search: makes the search at these prices.
        allowed: what is allowed already.
        searches: those made so far, by what they allow more.
    """

    search: Callable[[frozenset[str]], Search]
    allowed: frozenset[str]
    searches: dict[frozenset[str], Search] = field(default_factory=dict)

    def would_fold_with(self, source: Source) -> tuple[str, ...]:
        """The smallest allowances that would fold the source, each by itself.

        Names for `allow`; several that are needed together stand in one, separated by commas.
        """
        more = [price for price in PRICES if price not in self.allowed]
        if not more or not self._folds(source, more):
            return ()
        for count in range(1, len(more) + 1):
            sets = [prices for prices in combinations(more, count) if self._folds(source, prices)]
            if sets:
                return tuple(",".join(prices) for prices in sets)
        return ()

    def _folds(self, source: Source, prices: Collection[str]) -> bool:
        """Whether these would do."""
        search = self.searches.setdefault(
            frozenset(prices), self.search(self.allowed | frozenset(prices))
        )
        found = search.candidates(source)
        return any(
            isinstance(plan, Plan) and unfit(plan, "", largest=_LARGEST) is None for plan in found
        )
