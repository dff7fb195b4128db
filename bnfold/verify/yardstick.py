"""What the other model is measured with: the original in float64, and how far rounding moves it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import onnx_ir as ir

from bnfold.float64 import EvaluationError, UnsupportedOperatorError
from bnfold.runtime.engine import Setting
from bnfold.runtime.signature import Array, is_exact_dtype
from bnfold.verify import open_choice
from bnfold.verify.case import OutputCase
from bnfold.verify.feeds import Feed
from bnfold.verify.half import ulp_of_half
from bnfold.verify.neighbour import Neighbour
from bnfold.verify.noise import TURNS
from bnfold.verify.records import RANGE, Doubt
from bnfold.verify.shapes import Run, is_lost, of_shapes
from bnfold.verify.subject import OnnxSubject, Subject
from bnfold.verify.trust import with_operator

_COMPARED_WITH = (
    "the other model is compared with the range that the original covers when its weights and "
    "activations are rounded once more"
)

COPIES = 2
COPIES_AS_REFERENCE = 6
COPIES_IN_INTEGERS = 6
"""Neighbours to run: always, where they are all there is to compare with, and for the integer
kernels of a quantised model. Before a no there are `TURNS` in all, in which each weight moved."""


@dataclass
class Yardstick:
    """The cases, an output each; runs of neighbours of the original are added as they are wanted.

    Attributes:
        a: the original.
        feeds: what it is run on.
        original: its run on each feed, at the level of the setting.
        setting: how neighbours are run.
        seed: of the neighbours.
        stepped: outputs that quantised activations reach.
        step: called after each run of anything on a feed.
        half: the type that the original is rounded to, where its rounding in that is the yardstick.
        unstable: feed and output, where a neighbour has another shape.
        overflowing: names of feeds on which the original has no numbers in half precision.
    """

    a: Subject
    feeds: Sequence[Feed]
    original: Sequence[Run]
    setting: Setting
    seed: int
    stepped: frozenset[str]
    step: Callable[[], None]
    half: ir.DataType | None = None
    method: str = ""
    is_range: bool = False
    doubt: Doubt | None = None
    cases: list[OutputCase] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    unstable: set[tuple[int, int]] = field(default_factory=set)
    overflowing: dict[str, None] = field(default_factory=dict)
    _copies: int = 0

    def make(self) -> None:
        """`cases` has all outputs; where the float64 reference is no yardstick, it is the range."""
        self.cases = self._cases(self._references())
        self.add_copies(COPIES if self.is_original_told else COPIES_AS_REFERENCE)
        if not self.is_range and self._is_doubted():
            self.cases, self._copies = self._cases(self._own_references()), 0
            self.add_copies(COPIES_AS_REFERENCE)

    @property
    def is_original_told(self) -> bool:
        """Whether the error of the original itself is part of the yardstick, beside its copies'."""
        return not self.is_range and self.half is None

    def add_copies(self, count: int) -> None:
        """More neighbours."""
        self._add(dict(enumerate(self.cases)), count, is_jittered=self._moves_activations)

    def add_copies_in_doubt(self) -> bool:
        """The neighbours that are left: a network can be more sensitive than a few copies show."""
        self.add_copies(TURNS - self._copies)
        return True

    @property
    def _moves_activations(self) -> bool:
        """Whether weights alone do not tell: the reference is no better than a run.

        So it is where the runs are their own reference, and where they are in float64 themselves:
        what both round alike is no error of the original then, and that of the other model is.
        """
        return self.is_range or any(run.dtype == np.float64 for run in self.original[0])

    def add_strong_copies(self) -> bool:
        """Copies that turn what rounding can turn, for decisions and steps; whether there are."""
        chosen = {i: case for i, case in enumerate(self.cases) if case.wants_strong_copies}
        if chosen:
            self._add(chosen, open_choice.COPIES, is_jittered=True, strength=open_choice.STRENGTH)
        return bool(chosen)

    def add_kinds(self, names: Collection[str]) -> bool:
        """Where rounding gives these outputs NaN, infinities and numbers; whether there are any."""
        chosen = {i: case for i, case in enumerate(self.cases) if case.name in names}
        for copy in range(open_choice.COPIES if chosen else 0):
            moved = Neighbour((self.seed, copy), is_jittered=True, strength=open_choice.STRENGTH)
            for index, i, array in self._runs(moved):
                if i in chosen:
                    chosen[i].add_kinds(index, array)
        return bool(chosen)

    def add_integer_copies(self) -> bool:
        """How far kernels that compute quantised layers in integers move outputs; whether any."""
        stepped = {i: case for i, case in enumerate(self.cases) if case.is_stepped}
        if not stepped or not isinstance(self.a, OnnxSubject):
            return False
        for copy in range(COPIES_IN_INTEGERS):
            neighbour = Neighbour((self.seed, copy), is_jittered=True, in_integers=True)
            for index, i, array in self._runs(neighbour):
                if i in stepped:
                    stepped[i].add_integer_run(index, array)
        return True

    def chaotic_feeds(self) -> list[str]:
        """The feeds that are left out of an output, see `measure`."""
        return sorted({feed for case in self.cases for feed in case.chaotic_feeds()})

    def _add(
        self, cases: Mapping[int, OutputCase], count: int, *, is_jittered: bool, strength: int = 1
    ) -> None:
        # seeds go on from those that were run: the same neighbour twice would tell nothing new
        for copy in range(self._copies, self._copies + count):
            neighbour = Neighbour((self.seed, copy), is_jittered=is_jittered, strength=strength)
            for index, i, array in self._runs(neighbour):
                if i in cases:
                    cases[i].add_noise(index, array)
        self._copies += count

    def _runs(self, neighbour: Neighbour) -> Iterable[tuple[int, int, Array]]:
        """Feed, output and array of each that has the shape that the original gives it."""
        runner = self.a.open(self.setting, replace(neighbour, half=self.half))
        for index, feed in enumerate(self.feeds):
            for i, array in enumerate(runner.run(feed.arrays)):
                # there is no distance between shapes: rounding decides then how much comes out
                if array.shape == self.original[index][i].shape:
                    if self.half is not None and is_lost(self.original[index][i], array):
                        self.overflowing[feed.name] = None
                    yield index, i, array
                else:
                    self.unstable.add((index, i))
            self.step()

    def _references(self) -> Sequence[Run]:
        """The float64 outputs of the original; where there are none, its own runs."""
        results = []
        for feed, run in zip(self.feeds, self.original, strict=True):
            try:
                results.append(of_shapes(run, self.a.reference(feed.arrays)))
            except (EvaluationError, UnsupportedOperatorError) as error:
                self.notes.append(f"there is no float64 reference ({error}): {_COMPARED_WITH}")
                return self._own_references()
            self.step()
        self.method = self.a.method
        return results

    def _own_references(self) -> Sequence[Run]:
        self.method = f"{RANGE}: against the spread of the original's own runs"
        self.is_range = True
        return [
            [array if is_exact_dtype(array.dtype) else array.astype("float64") for array in run]
            for run in self.original
        ]

    def _cases(self, references: Sequence[Run]) -> list[OutputCase]:
        names = [feed.name for feed in self.feeds]
        return [
            OutputCase(
                spec.name,
                names,
                [run[i] for run in references],
                [run[i] for run in self.original],
                is_stepped=spec.name in self.stepped,
                is_one_runtime=isinstance(self.a, OnnxSubject),
                ulp=None if self.half is None else ulp_of_half(self.half),
            )
            for i, spec in enumerate(self.a.outputs)
        ]

    def _is_doubted(self) -> bool:
        """Whether the reference is no yardstick; activations are moved too before that is said."""
        if not any(case.doubt() for case in self.cases):
            return False
        for copy in range(COPIES_AS_REFERENCE):
            for index, i, array in self._runs(Neighbour((self.seed, copy), is_jittered=True)):
                self.cases[i].add_spread(index, array)
        found = next(filter(None, (case.doubt() for case in self.cases)), None)
        if found is None:
            return False
        feed = next((feed for feed in self.feeds if feed.name == found.feed), self.feeds[0])
        self.doubt = with_operator(found, self.a, feed, self.setting)
        self.notes.append(f"{self.doubt.sentence}; {_COMPARED_WITH}")
        return True
