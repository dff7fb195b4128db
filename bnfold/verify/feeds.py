"""The sets of inputs to compare two models on: which kinds, in which shapes, from which seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bnfold.runtime.arrays import make_array
from bnfold.runtime.bounds import Bounds
from bnfold.runtime.extents import Extent, chosen_sizes, shape_of
from bnfold.runtime.signature import Array, TensorSpec
from bnfold.verify.records import FeedRow

PLAN = (
    ("normal", 2, 0),
    ("impulses", 1, 0),
    ("wide range", 2, 1),
    ("zeros", 1, 0),
    ("normal", 1, 1),
    ("impulses", 2, 1),
    ("normal", 3, 2),
    ("wide range", 1, 0),
)
"""Kind, batch, and the index of the sampled shape, for each sample; the first matter most."""

_SPATIAL = (64, 96, 224, 320, 33, 8)
_LENGTHS = (16, 24, 7, 64, 128, 1)


@dataclass(frozen=True)
class Feed:
    """One set of inputs by name; `seed` is None for the user's own."""

    name: str
    kind: str
    arrays: Mapping[str, Array]
    seed: tuple[int, ...] | None = None

    def row(self) -> FeedRow:
        """The record of it, without the numbers."""
        shapes = {name: array.shape for name, array in self.arrays.items()}
        return FeedRow(self.name, self.kind, self.seed, shapes)


def kind_of(index: int) -> tuple[str, int, int]:
    """Kind, batch and shape index of a sample; beyond the plan, normal numbers in new shapes."""
    return PLAN[index] if index < len(PLAN) else ("normal", 1 + index % 2, index % len(_SPATIAL))


def sampled_sizes(
    extents: Sequence[Extent], dims: Mapping[str, int], batch: int, turn: int
) -> dict[str, int]:
    """A size for every open extent by place, see `chosen_sizes`; other turns give others."""

    def choose(extent: Extent) -> int:
        if extent.axis == 0:
            return batch
        ladder = _SPATIAL if extent.rank >= 4 else _LENGTHS
        return ladder[(turn + max(extent.axis - 2, 0)) % len(ladder)]

    return chosen_sizes(extents, dims, choose)


def make_feed(
    specs: Sequence[TensorSpec],
    sizes: Mapping[str, int],
    *,
    kind: str,
    index: int,
    seed: int,
    bounds: Bounds,
) -> Feed:
    """The arrays of one kind for all inputs; the same arguments give the same numbers."""
    arrays = {}
    for position, spec in enumerate(specs):
        shape = shape_of(spec, sizes)
        rng = np.random.default_rng([seed, index, position])
        arrays[spec.name] = make_array(spec, shape, kind, rng, bounds.get(spec.name, (0, 1)))
    return Feed(f"{index}: {kind}", kind, arrays, (seed, index))
