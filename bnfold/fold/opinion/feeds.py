"""Inputs for a model that nobody gave any: two feeds, of two sizes where they are open."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from bnfold.runtime.arrays import make_array
from bnfold.runtime.bounds import Bounds
from bnfold.runtime.extents import (
    Extent,
    chosen_sizes,
    largest_picture,
    open_extents,
    shape_of,
)
from bnfold.runtime.model_fitting import MOST_NUMBERS, Sizes
from bnfold.runtime.signature import Array, TensorSpec
from bnfold.runtime.told_integers import ToldIntegers, as_told

Feed = dict[str, Array]

_PICTURE_PAIRS = ((16, 23), (32, 45), (64, 96), (224, 256))
"""Pairs of sizes of a picture, the cheapest first: some models take no small ones.

The first pair that runs is all that is looked at, so they are a ladder, and no sample of what may
occur, as those of `verify` are.
"""

_LENGTH_PAIRS = ((7, 12), (16, 24), (64, 128), (128, 96))
_BATCHES = (1, 2)


class FeedMaker:
    """Makes feeds of the sizes that are asked for.

    Args:
        specs: the inputs.
        bounds: of their integers.
        told: what the export has told of them.

    Raises:
        BnfoldError: an input has no rank.
    """

    def __init__(self, specs: Sequence[TensorSpec], bounds: Bounds, told: ToldIntegers) -> None:
        self._specs, self._bounds, self._told = specs, bounds, told
        self.extents = open_extents(specs)

    def usual_sizes(self) -> Iterator[tuple[Sizes, Sizes]]:
        """Pairs of sizes to try, the cheapest first; with nothing open, one pair of one size."""
        for attempt in range(len(_PICTURE_PAIRS) if self.extents else 1):
            pair = self._usual(attempt, 0), self._usual(attempt, 1)
            numbers = max(largest_picture(self.extents, sizes) for sizes in pair)
            if not attempt or numbers <= MOST_NUMBERS:
                yield pair

    def of_usual_sizes(self) -> Iterator[list[Feed]]:
        """Pairs of feeds of those sizes.

        Raises:
            BnfoldError: an input takes strings, or would have too many numbers.
        """
        for pair in self.usual_sizes():
            yield from self.drawn(pair)

    def drawn(self, sizes: Sequence[Sizes]) -> Iterator[list[Feed]]:
        """A feed of each size; where the export has told of integers, with those too.

        Raises:
            BnfoldError: an input takes strings, or would have too many numbers.
        """
        plain = [self._feed(some, turn) for turn, some in enumerate(sizes)]
        yield plain
        if self._told:
            yield [as_told(feed, self._told, np.random.default_rng(0)) for feed in plain]

    def _feed(self, sizes: Sizes, turn: int) -> Feed:
        """Normal numbers, or impulses in the other turn."""
        places = chosen_sizes(self.extents, sizes, lambda extent: _BATCHES[0])
        kind = ("normal", "impulses")[turn]
        return {
            spec.name: make_array(
                spec,
                shape_of(spec, places),
                kind,
                np.random.default_rng([turn, place]),
                self._bounds.get(spec.name, (0, 1)),
            )
            for place, spec in enumerate(self._specs)
        }

    def _usual(self, attempt: int, turn: int) -> Sizes:
        def choose(extent: Extent) -> int:
            if extent.axis == 0:
                return _BATCHES[turn]
            pairs = _PICTURE_PAIRS if extent.rank >= 4 else _LENGTH_PAIRS
            return pairs[attempt][turn]

        sizes = chosen_sizes(self.extents, {}, choose)
        return {extent.label: sizes[extent.place] for extent in self.extents}
