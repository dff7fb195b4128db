"""Sizes at which a graph runs, looked for where constants inside fix what its inputs leave open.

A matrix [27, 4] behind a Flatten, a Reshape to [-1, 12], an Add of a constant [1, 6] take some
sizes and no others. What they take is, or divides, what the constants are made of; open extents are
set, one, two or all of them at a time, so that the graph runs on further than it did.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product, zip_longest
from typing import TypeVar

Slot = TypeVar("Slot", bound=Hashable)
"""What stands for an open extent."""

USUAL = (
    *(28, 32, 64, 224, 256, 299, 128, 48, 96, 112, 160, 192, 320, 384, 416, 448, 512),
    *(8, 10, 16, 20, 24, 40, 50, 77, 80, 100, 200, 300, 640, 1000, 1024),
    *(n for n in range(1, 64) if n not in {8, 10, 16, 20, 24, 28, 32, 40, 48, 50}),
)
"""Extents that images and sequences have, the usual ones first, and then all small ones."""

SMALL = range(2, 17)
"""Up to here any extent may be what a window needs."""

_MOST_DIVISORS = 48
_LARGEST = 1 << 16  # what is divided


@dataclass(frozen=True)
class Candidates:
    """Extents to try, as constants tell them.

    Attributes:
        shapes: of constants, and what stands in those that may be shapes or sizes of parts.
        alike: extents for all axes behind the first, of all inputs or of one.
        near: those that they are made of, for one that is open.
        usual: for one that is open, last.
    """

    shapes: Collection[tuple[int, ...]]
    alike: Sequence[int]
    near: Sequence[int]
    usual: Sequence[int]


def told_extents(numbers: Iterable[int]) -> list[int]:
    """The numbers, and what divides them; not 1, which everything is made of."""
    sizes = {size for size in numbers if 1 != size <= _LARGEST}
    divisors = sorted({d for size in sizes for d in _divisors(size)})
    return sorted({*sizes, *divisors[:_MOST_DIVISORS]})


def fitted(
    inputs: Sequence[Sequence[Slot | None]],
    start: Mapping[Slot, int],
    told: Callable[[float], Candidates],
    reached: Callable[[Mapping[Slot, int]], float],
    most: int,
) -> Mapping[Slot, int] | None:
    """Extents with which the graph runs; None where none are found.

    Args:
        inputs: for each axis of each input what stands for its open extent; None where it is fixed.
        start: the extents to begin with.
        told: the extents to try where the graph stops after so much.
        reached: how much of the graph runs; infinity for all of it.
        most: numbers along the open axes of one input.
    """
    given = start
    furthest = reached(given)
    while furthest < math.inf:
        for near in _near(inputs, given, told(furthest)):
            there = reached(near) if _numbers(inputs, near) <= most else -math.inf
            if there > furthest:
                given, furthest = near, there
                break
        else:
            return None
    return given


def _numbers(inputs: Sequence[Sequence[Slot | None]], sizes: Mapping[Slot, int]) -> int:
    """How many the open axes of an input come to at the most; what has no size yet is small."""
    return max(
        (math.prod(sizes.get(slot, 1) for slot in slots if slot is not None) for slots in inputs),
        default=1,
    )


def _near(
    inputs: Sequence[Sequence[Slot | None]], given: Mapping[Slot, int], told: Candidates
) -> Iterator[Mapping[Slot, int]]:
    """Extents that differ in a few places, the likeliest first."""
    alone = [(slot,) for slot in _each_once(slot for slots in inputs for slot in slots)]
    columns = [_each_once(column) for column in zip_longest(*inputs)]
    for group in _several((*_behind(inputs), *columns)):
        yield from ({**given, **dict.fromkeys(group, extent)} for extent in told.alike)
    yield from ({**given, slot: extent} for (slot,) in alone for extent in told.near)
    yield from ({**given, **laid} for laid in _laid(inputs, told.shapes))
    yield from ({**given, slot: extent} for (slot,) in alone for extent in told.usual)
    pairs = list(dict.fromkeys((*_pairs(told.shapes), *product((*SMALL, 1), repeat=2))))
    batches = {slots[0] for slots in inputs if slots}
    groups = list(combinations((*_several(columns), *alone), 2))
    for one, other in sorted(groups, key=lambda two: not batches.isdisjoint((*two[0], *two[1]))):
        if set(one).isdisjoint(other):
            for first, second in pairs:
                yield {**given, **dict.fromkeys(one, first), **dict.fromkeys(other, second)}


def _behind(inputs: Sequence[Sequence[Slot | None]]) -> list[tuple[Slot, ...]]:
    """The open axes behind the first ones: of all inputs, and of each."""
    each = [_each_once(slots[1:]) for slots in inputs]
    return [_each_once(slot for slots in each for slot in slots), *each]


def _several(groups: Iterable[tuple[Slot, ...]]) -> list[tuple[Slot, ...]]:
    """The groups that have more than one, each once."""
    return [group for group in dict.fromkeys(groups) if len(group) > 1]


def _each_once(slots: Iterable[Slot | None]) -> tuple[Slot, ...]:
    return tuple(dict.fromkeys(slot for slot in slots if slot is not None))


def _laid(
    inputs: Sequence[Sequence[Slot | None]], shapes: Collection[tuple[int, ...]]
) -> Iterator[Mapping[Slot, int]]:
    """An input that has the shape of a constant, as the two are broadcast."""
    for shape, slots in product(shapes, inputs):
        pairs = zip(reversed(slots), reversed(shape), strict=False)
        laid = {slot: extent for slot, extent in pairs if slot is not None and extent > 1}
        if len(laid) > 1:
            yield laid


def _pairs(shapes: Collection[tuple[int, ...]]) -> Iterator[tuple[int, int]]:
    """Extents of two axes that become one of a constant's together, or two of them."""
    sizes = sorted({abs(size) for shape in shapes for size in shape if 1 < abs(size) <= _LARGEST})
    for size in sizes:
        for first in sorted(_divisors(size)):
            yield from ((first, second) for second in sorted(_divisors(size // first)))
    yield from product(sizes, sizes)


def _divisors(size: int) -> set[int]:
    """All but 1; of 0 none but 0."""
    if not size:
        return {0}
    small = {d for d in range(1, math.isqrt(size) + 1) if size % d == 0}
    return (small | {size // d for d in small}) - {1}
