"""The sets of inputs to compare two models on: which kinds, in which shapes, from which seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from bnfold.runtime.arrays import make_array
from bnfold.runtime.bounds import Bounds
from bnfold.runtime.extents import Extent, chosen_sizes, shape_of
from bnfold.runtime.signature import Array, TensorSpec
from bnfold.runtime.told_integers import ToldIntegers, as_told
from bnfold.verify.records import FeedRow

LONG = 6
"""The index of a sampled shape with long sequences: a window or a mask of 128 ends within."""

LONGEST = 7
"""The index of a sampled shape whose sequences are next to the longest of all."""

SMALL = 4
"""The index of a sampled shape with few numbers, and more than one of each."""

PLAN = (
    ("normal", 2, 0),
    ("impulses", 1, 1),
    ("wide range", 4, 2),
    ("zeros", 1, 0),
    ("normal", 1, 1),
    ("impulses", 3, 0),
    ("normal", 7, 3),
    ("wide range", 1, LONG),
)
"""Kind, batch, and the index of the sampled shape, for each sample; the first matter most."""

_SAMPLED_PICTURES = (
    *((64, 96), (33, 47), (90, 75), (1, 1), (8, 12), (32, 64)),
    *((128, 160), (224, 320), (299, 331)),
)
_SAMPLED_LENGTHS = (
    (16, 24),
    (7, 5),
    (33, 18),
    (1, 1),
    (2, 3),
    (8, 32),
    (160, 96),
    (128, 160),
    (24, 16),
)
"""Extents of an input's first and second open axis behind the batch, for each shape: multiples of
32, odd ones, one of each, extent 1, and then others for graphs that take none of these: small ones
first, as the largest batch has extent 1 where the graph takes it. They are a sample of what may
occur, where a ladder of sizes would end at the first that runs."""

TURNS = len(_SAMPLED_PICTURES)

AS_EXPORTED = "integers as in the export"


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


@dataclass(frozen=True)
class Draw:
    """How the numbers of a set are drawn; `index` tells sets of one kind and seed apart.

    Integers lie within `bounds`, but those that are `told` are drawn as the export's were.
    """

    kind: str
    index: int
    seed: int
    bounds: Bounds
    domain: str = ""
    told: ToldIntegers = field(default_factory=dict)


def kind_of(index: int) -> tuple[str, int, int]:
    """Kind, batch and shape index of a sample; beyond the plan, normal numbers in new shapes."""
    return PLAN[index] if index < len(PLAN) else ("normal", 1 + index % 2, index % TURNS)


def sampled_sizes(
    extents: Sequence[Extent], dims: Mapping[str, int], batch: int, turn: int
) -> dict[str, int]:
    """A size for every open extent by place, see `chosen_sizes`; other turns give others."""
    behind: dict[str, list[int]] = {}
    for extent in extents:
        if extent.axis:
            behind.setdefault(extent.input, []).append(extent.axis)

    def choose(extent: Extent) -> int:
        if extent.axis == 0:
            return batch
        ladder = _SAMPLED_PICTURES if extent.rank >= 4 else _SAMPLED_LENGTHS
        pair = ladder[turn % TURNS]
        return pair[behind[extent.input].index(extent.axis) % len(pair)]

    return chosen_sizes(extents, dims, choose)


def make_feed(specs: Sequence[TensorSpec], sizes: Mapping[str, int], draw: Draw) -> Feed:
    """The arrays of one kind for all inputs; the same arguments give the same numbers."""
    arrays = {}
    for position, spec in enumerate(specs):
        shape = shape_of(spec, sizes)
        rng = np.random.default_rng([draw.seed, draw.index, position])
        bounds = draw.bounds.get(spec.name, (0, 1))
        arrays[spec.name] = make_array(spec, shape, draw.kind, rng, bounds, draw.domain)
    if draw.told:
        arrays = as_told(arrays, draw.told, np.random.default_rng([draw.seed, draw.index]))
    kind = f"{draw.kind} in {draw.domain}" if draw.domain else draw.kind
    kind = f"{kind}, {AS_EXPORTED}" if draw.told else kind
    return Feed(f"{draw.index}: {kind}", kind, arrays, (draw.seed, draw.index))
