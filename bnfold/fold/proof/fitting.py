"""Sizes at which a region runs, looked for where none of the usual ones fits its constants.

A matrix [27, 4] behind a Flatten, a Reshape to [-1, 12], an Add of a constant [1, 6] take some
sizes and no others. What they take divides what the constants are made of; one open extent after
another is set so that the region runs on further than it did.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from bnfold.errors import BnfoldError
from bnfold.fold.facts.constants import Constant
from bnfold.fold.facts.graph import Facts
from bnfold.fold.numbers.affine import Dims
from bnfold.fold.numbers.exact import Exact
from bnfold.fold.proof.proof_sizes import PLAIN, Sizes, Slot, slot_of
from bnfold.fold.proof.trial_run import Trial
from bnfold.fold.proof.written import CertificateError, Written

DOES_NOT_RUN = (BnfoldError, ValueError, IndexError, ZeroDivisionError, CertificateError)

_MOST_RUNS = 400
_MOST_NUMBERS = 1 << 24  # computed in all of them
_MOST_EXTENTS = 48
_LARGEST = 1 << 16  # what is divided
_SMALL = 17  # up to here any extent may be what a window needs
_SHAPE = 16  # entries of a constant that may be a shape, or sizes of parts

Given = Mapping[Slot, int]


@dataclass
class Fitting:
    """Looks for sizes of one region.

    Args:
        part: the region as it was.
        facts: of the model.
        way: which body of an If is taken, see `branches`.
        least: what extents in space must not go below where that can be had.
        told: dimensions that the graph tells of what the region computes, by name.
    """

    part: Written
    facts: Facts
    way: int
    least: int
    told: Mapping[str, Dims]
    _runs: int = field(init=False, default=0)
    _numbers: int = field(init=False, default=0)

    def sizes(self) -> Iterator[Sizes]:
        """Some that fit: near the usual ones, and near the least that there are."""
        extents = self._extents()
        ones = (1, max(1, self.least))
        for plain, order in (
            ((PLAIN[0], max(PLAIN[1], self.least)), extents),
            (ones, extents[::-1]),
        ):
            found = self._fitted(plain, order)
            if found is not None:
                yield found

    def _fitted(self, plain: tuple[int, int], extents: Sequence[int]) -> Sizes | None:
        """From these on, each step is the first one by which the region runs further."""
        self._runs = self._numbers = 0
        given: Given = {}
        furthest = self._reached(plain, given)
        while furthest < math.inf:
            for near in self._near(given, extents):
                reached = self._reached(plain, near)
                if reached > furthest:
                    given, furthest = near, reached
                    break
            else:
                return None
        return Sizes(facts=self.facts, plain=plain, given=given)

    def _near(self, given: Given, extents: Sequence[int]) -> Iterator[Given]:
        """One open extent is another one; or all of them but those of first axes are alike."""
        slots = self._slots()
        alike = [slot for slot, axis in slots.items() if axis]
        if len(alike) > 1:
            yield from ({**given, **dict.fromkeys(alike, extent)} for extent in extents)
        yield from ({**given, slot: extent} for slot in slots for extent in extents)

    def _slots(self) -> dict[Slot, int]:
        """What is open, each with the axis on which it comes first."""
        found: dict[Slot, int] = {}
        for value in self.part.enters.values():
            for axis, dim in enumerate(self.facts.dims(value) or ()):
                if not isinstance(dim, int):
                    found.setdefault(slot_of(value, axis, dim), axis)
        return found

    def _extents(self) -> list[int]:
        """The extents and sizes that the region tells, what divides them, small ones; 1 last."""
        dims = (self.facts.dims(value) or () for value in self.part.enters.values())
        sizes = {d for told in (*dims, *self.told.values()) for d in told if isinstance(d, int)}
        for constant in self.part.constants.values():
            sizes.update(constant.shape)
            if isinstance(constant, Exact) or constant.dtype.kind not in "iu":
                continue
            if constant.size <= _SHAPE:
                sizes.update(abs(int(entry)) for entry in constant.flat)
        sizes = {size for size in sizes if 1 != size <= _LARGEST}
        divisors = sorted({d for size in sizes for d in _divisors(size)})
        told_first = sorted({*sizes, *divisors[:_MOST_EXTENTS]})
        return [*told_first, *(d for d in range(2, _SMALL) if d not in told_first), 1]

    def _reached(self, plain: tuple[int, int], given: Given) -> float:
        """How many values the region computes before it stops; infinity where it does not."""
        if self._runs >= _MOST_RUNS or self._numbers > _MOST_NUMBERS:
            return -1
        self._runs += 1
        trial = Trial(
            self.part, self.facts, {}, Sizes(facts=self.facts, plain=plain, given=given), self.way
        )
        try:
            trial.run()
        except DOES_NOT_RUN:
            return len(trial.values)
        finally:
            self._numbers += sum(value.size for value in trial.values.values())
        return len(trial.values) if contradicts(trial.values, self.told) else math.inf


def contradicts(values: Mapping[str, Constant], told: Mapping[str, Dims]) -> bool:
    """Whether what is behind the region takes no such sizes: they accuse nobody.

    A Gemm without rows tells of a Flatten far before it that one of its extents is 0.
    """
    shapes = ((dims, values[name].shape) for name, dims in told.items() if name in values)
    pairs = (pair for dims, shape in shapes for pair in zip(dims, shape, strict=False))
    return any(isinstance(dim, int) and dim != size for dim, size in pairs)


def _divisors(size: int) -> set[int]:
    """All but 1; of 0 none but 0."""
    if not size:
        return {0}
    small = {d for d in range(1, math.isqrt(size) + 1) if size % d == 0}
    return (small | {size // d for d in small}) - {1}
