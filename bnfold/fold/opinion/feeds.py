"""Inputs for a model that nobody gave any: two feeds, of two sizes where they are open."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from bnfold.runtime.arrays import make_array
from bnfold.runtime.bounds import Bounds
from bnfold.runtime.extents import Extent, chosen_sizes, open_extents, shape_of
from bnfold.runtime.signature import Array, TensorSpec
from bnfold.runtime.told_integers import ToldIntegers, as_told

Feed = dict[str, Array]

_SPATIAL = ((16, 23), (32, 45), (64, 96), (224, 256))
"""Pairs of sizes of a picture, the cheapest first: some models take no small ones."""

_LENGTHS = ((7, 12), (16, 24), (64, 128), (128, 96))
_BATCHES = (1, 2)


def feeds_of(
    specs: Sequence[TensorSpec], bounds: Bounds, told: ToldIntegers
) -> Iterator[tuple[Feed, ...]]:
    """Pairs of feeds to try, the cheapest first; with nothing open, one pair of one size.

    Where the export has told of its integers, each pair with those too.

    Raises:
        BnfoldError: an input has no rank, or takes strings.
    """
    extents = open_extents(specs)
    for attempt in range(len(_SPATIAL) if extents else 1):
        pair = tuple(_feed(specs, bounds, extents, attempt, turn) for turn in (0, 1))
        yield pair
        if told:
            yield tuple(as_told(feed, told, np.random.default_rng(0)) for feed in pair)


def _feed(
    specs: Sequence[TensorSpec], bounds: Bounds, extents: Sequence[Extent], attempt: int, turn: int
) -> Feed:
    def choose(extent: Extent) -> int:
        if extent.axis == 0:
            return _BATCHES[turn]
        pairs = _SPATIAL if extent.rank >= 4 else _LENGTHS
        return pairs[attempt][turn]

    sizes = chosen_sizes(extents, {}, choose)
    kind = ("normal", "impulses")[turn]
    return {
        spec.name: make_array(
            spec,
            shape_of(spec, sizes),
            kind,
            np.random.default_rng([turn, place]),
            bounds.get(spec.name, (0, 1)),
        )
        for place, spec in enumerate(specs)
    }
