"""Sizes at which a region runs, looked for where none of the usual ones fits its constants.

A matrix [27, 4] behind a Flatten, a Reshape to [-1, 12], an Add of a constant [1, 6] take some
sizes and no others. What they take divides what the constants are made of; one open extent after
another is set so that the region runs on further than it did.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from bnfold.errors import BnfoldError
from bnfold.fold.facts.constants import Constant
from bnfold.fold.facts.graph import Facts
from bnfold.fold.numbers.affine import Dims
from bnfold.fold.numbers.exact import Exact
from bnfold.fold.proof.proof_sizes import PLAIN, Sizes, Slot, slot_of
from bnfold.fold.proof.trial_run import TrialRun
from bnfold.fold.proof.written import CertificateError, Written
from bnfold.runtime.fitting import SMALL, Candidates, fitted, told_extents

DOES_NOT_RUN = (BnfoldError, ValueError, IndexError, ZeroDivisionError, CertificateError)

_MOST_RUNS = 400
_MOST_NUMBERS = 1 << 24  # computed in all of them
_MOST_OPEN = 1 << 16  # along the open axes of one input: a map of 256 x 256, a row of 65,536
_SHAPE = 16  # entries of a constant that may be a shape, or sizes of parts

Given = Mapping[Slot, int]


@dataclass
class Fitting:
    """Looks for sizes of one region.

    Args:
        part: the region as it was.
        facts: of the model.
        way: which body of an If is taken, see `bodies`.
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
        told = self._told_by_constants()
        backwards = Candidates(told.shapes, told.alike[::-1], told.near[::-1], told.usual[::-1])
        ones = (1, max(1, self.least))
        for plain, order in (
            ((PLAIN[0], max(PLAIN[1], self.least)), told),
            (ones, backwards),
        ):
            found = self._fitted(plain, order)
            if found is not None:
                yield found

    def _fitted(self, plain: tuple[int, int], told: Candidates) -> Sizes | None:
        """From these on, each step is the first one by which the region runs further."""
        self._runs = self._numbers = 0
        start: Given = {}
        given = fitted(
            self._inputs(),
            start,
            lambda _: told,
            lambda given: self._reached(plain, given),
            _MOST_OPEN,
        )
        return None if given is None else Sizes(facts=self.facts, plain=plain, given=given)

    def _inputs(self) -> list[list[Slot | None]]:
        """What is open, see `fitted`."""
        return [
            [
                None if isinstance(dim, int) else slot_of(value, axis, dim)
                for axis, dim in enumerate(self.facts.dims(value) or ())
            ]
            for value in self.part.enters.values()
        ]

    def _told_by_constants(self) -> Candidates:
        """The extents and sizes that the region tells, what divides them, small ones; 1 last."""
        dims = (self.facts.dims(value) or () for value in self.part.enters.values())
        told = [
            tuple(d for d in some if isinstance(d, int)) for some in (*dims, *self.told.values())
        ]
        shapes = [shape for constant in self.part.constants.values() for shape in _shapes(constant)]
        sizes = told_extents(size for some in (*told, *shapes) for size in some)
        usual = [*(d for d in SMALL if d not in sizes), 1]
        return Candidates(list(dict.fromkeys(shapes)), [*sizes, *usual], sizes, usual)

    def _reached(self, plain: tuple[int, int], given: Given) -> float:
        """How many values the region computes before it stops; infinity where it does not."""
        if self._runs >= _MOST_RUNS or self._numbers > _MOST_NUMBERS:
            return -1
        self._runs += 1
        trial = TrialRun(
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


def _shapes(constant: Exact | Constant) -> Iterator[tuple[int, ...]]:
    """The shape of a constant, and what it holds where that may be one."""
    yield tuple(constant.shape)
    if isinstance(constant, Exact) or constant.dtype.kind not in "iu":
        return
    if constant.size <= _SHAPE:
        yield tuple(abs(int(entry)) for entry in constant.flat)
