"""What a user could allow: the smallest sets of priced rewrites that would fold what is left.

Nothing is guessed: copies of the model are folded with a set each, as a fold with it would go on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field

from bnfold.fold.account.allowance import Allowance
from bnfold.fold.account.size import Size
from bnfold.fold.rules import PRICES, price_order

Prices = frozenset[str]


@dataclass(frozen=True)
class Rehearsed:
    """What the fold of a copy came to.

    Attributes:
        gone: the batch norms that it folded, each by its place among those that were left.
        declined: the prices of what was on offer for the rest.
        size: of the copy, afterwards; None where it took too long to come to an end.
    """

    gone: frozenset[int]
    declined: Prices
    size: Size | None


@dataclass
class Advice:
    """What the sets of prices would do to one model.

    Attributes:
        rehearse: folds a copy with these prices too.
        runs: what came of each set that was tried.
        smallest: of each batch norm that would go, by its place, the sets with which it does, the
            cheapest first.
    """

    rehearse: Callable[[Prices], Rehearsed]
    runs: dict[Prices, Rehearsed] = field(default_factory=dict)
    smallest: dict[int, tuple[Prices, ...]] = field(default_factory=dict)

    def find(self, left: Collection[int], available: Prices, declined: Prices) -> None:
        """The sets are found, those of one price first.

        A set is tried where one with a price less had something on offer for that price: where it
        had not, a fold with the price would be the same.

        Args:
            left: the places of the batch norms that are left.
            available: what could be allowed.
            declined: what was on offer, and not allowed.
        """
        missing = set(left)
        sets = _ordered(frozenset({price}) for price in declined & available)
        while sets and missing:
            for place in sorted(missing):
                found = tuple(self._cheapest(p for p in sets if place in self._run(p).gone))
                if found:
                    self.smallest[place] = found
            missing -= self.smallest.keys()
            sets = _ordered(
                prices | {price}
                for prices in sets
                for price in (self._run(prices).declined & available) - prices
            )
            if sets and missing:  # all at once tell whether it is worth while
                missing &= self._run(available).gone
        if available in self.runs:
            self.smallest |= dict.fromkeys(missing & self.runs[available].gone, (available,))
        if not any(run.gone >= self.smallest.keys() for run in self.runs.values()):
            self._run(frozenset().union(*(found[0] for found in self.smallest.values())))

    def allowances(self, names: dict[int, str], now: Size) -> Iterator[Allowance]:
        """Each set that is the smallest for some batch norm, and the smallest for all of them.

        Args:
            names: of the batch norms that are left, by their places.
            now: the size of the model as it is.
        """
        told = {prices for found in self.smallest.values() for prices in found}
        enough = (p for p in self.runs if self.runs[p].gone >= self.smallest.keys())
        for prices in self._cheapest({*told, *self._cheapest(enough)[:1]}):
            run = self.runs[prices]
            gone = tuple(names[place] for place in sorted(run.gone & names.keys()))
            if gone:
                yield Allowance(spelt(prices), gone, *_more(run.size, now))

    def _cheapest(self, sets: Iterable[Prices]) -> list[Prices]:
        """Sets that were tried: few prices first, and of as many what costs least."""

        def cost(prices: Prices) -> tuple[float, ...]:
            size = self.runs[prices].size
            if size is None:
                return len(prices), math.inf
            return len(prices), size.nodes, size.multiplications or 0, size.parameter_bytes

        return sorted(_ordered(sets), key=cost)

    def _run(self, prices: Prices) -> Rehearsed:
        if prices not in self.runs:
            self.runs[prices] = self.rehearse(prices)
        return self.runs[prices]


def spelt(prices: Prices) -> str:
    """The set as `--allow` takes it."""
    return ",".join(price for price in PRICES if price in prices)


def _ordered(sets: Iterable[Prices]) -> list[Prices]:
    """Each once, small ones first."""
    return sorted(set(sets), key=price_order)


def _more(then: Size | None, now: Size) -> tuple[int | None, int | None, int | None]:
    """Nodes, multiplications and bytes that there are more then than now."""
    if then is None:
        return None, None, None
    known = then.multiplications is not None and now.multiplications is not None
    work = (then.multiplications or 0) - (now.multiplications or 0)
    stored = then.parameter_bytes - now.parameter_bytes
    return then.nodes - now.nodes, work if known else None, stored
