"""The runs of a verification: both models, at each level, on each feed, one session at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from bnfold.errors import UsageError
from bnfold.float64 import EvaluationError, UnsupportedOperatorError
from bnfold.runtime.engine import Setting
from bnfold.runtime.sessions import RefusedError, RunError
from bnfold.runtime.signature import Array, TensorSpec, is_exact_dtype
from bnfold.verify import open_choice
from bnfold.verify.case import OutputCase
from bnfold.verify.feeds import Feed
from bnfold.verify.in_float64 import compare_in_float64
from bnfold.verify.operators import is_for_one_cpu, stepped_outputs
from bnfold.verify.records import RANGE, Doubt, OutputRow, Verdict
from bnfold.verify.selections import selected_otherwise
from bnfold.verify.subject import OnnxSubject, Runner, Subject
from bnfold.verify.trust import with_operator

_ONE_CPU = (
    "onnxruntime saved it for one kind of CPU, which this one may not be: save it at level "
    "'extended', or on this machine"
)

_COMPARED_WITH = (
    "the other model is compared with the range that the original covers when its weights and "
    "activations are rounded once more"
)

Run = list[Array]
Step = Callable[[], None]

COPIES = 2
COPIES_AS_REFERENCE = 6
COPIES_IN_DOUBT = 6
"""Neighbours to run: always, where they are all there is to compare with, and before a no."""


@dataclass
class Campaign:
    """What has been run so far, and what came of it.

    `original` has the original's run on each feed at the first level. `step` is called after each
    run of anything on a feed.
    """

    a: Subject
    b: OnnxSubject
    feeds: Sequence[Feed]
    original: Sequence[Run]
    setting: Setting
    levels: Sequence[str]
    seed: int
    step: Step
    method: str = ""
    is_range: bool = False
    rows: list[OutputRow] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    settled: tuple[Verdict, str] | None = None
    doubt: Doubt | None = None
    others: list[Run] = field(default_factory=list)
    wavering: set[tuple[int, int]] = field(default_factory=set)
    """Feed and output, where a neighbour of the original has another shape."""

    def run(self) -> None:
        """All of it; `settled` has the verdict where the rows do not decide.

        `others` has the other model's runs at the first level.

        Raises:
            UsageError: a quantised model, and level "none" is not among the levels.
        """
        if self._stepped and "none" not in self.levels:
            raise UsageError("a quantised model can be judged at level 'none' only: add that level")
        cases = self._cases(self._references())
        copies = COPIES_AS_REFERENCE if self.is_range else COPIES
        self._add_noise(cases, range(copies))
        if not self.is_range and self._is_doubted(cases):
            copies = COPIES_AS_REFERENCE
            cases = self._cases(self._own_references())
            self._add_noise(cases, range(copies))
        pairs: dict[str, tuple[Sequence[Run], Sequence[Run]]] = {}
        astray: str | None = None
        for level in self.levels:
            setting = replace(self.setting, level=level)
            original = self.original if not pairs else self._runs(self.a, setting)
            astray = self._astray(level, original)
            if astray is not None:
                break
            try:
                pairs[level] = original, self._runs(self.b, setting)
            except RunError as error:
                self.settled = self._failed(error)
                return
            except RefusedError as error:
                if isinstance(self.a, OnnxSubject):
                    raise
                self._compare_in_float64(error)
                return
            self.settled = self._shape_mismatch(*pairs[level])
            if self.settled is not None:
                return
        self.others = list(pairs[self.levels[0]][1])
        self.rows = self._rows(cases, pairs)
        if not all(row.is_within for row in self.rows):
            # A network can be far more sensitive than a few copies show: look again before judging.
            self._add_noise(cases, range(copies, copies + COPIES_IN_DOUBT))
            self.rows = self._rows(cases, pairs)
        if not all(row.is_within for row in self.rows) and self._add_strong_copies(cases):
            self.rows = self._rows(cases, pairs)
        if astray is not None and all(row.is_within for row in self.rows):
            self.settled = "inconclusive", astray
        left_out = sorted({feed for case in cases for feed in case.chaotic_feeds()})
        if left_out:
            self.notes.append(
                "left out, as there the original's own rounding error is out of all proportion: "
                f"inputs {', '.join(map(repr, left_out))}"
            )

    def _failed(self, error: RunError) -> tuple[Verdict, str]:
        sentence = f"{error} (the original does)"
        if not is_for_one_cpu(self.b.model):
            return "different", sentence
        return "inconclusive", f"{sentence}; {_ONE_CPU}"

    def _compare_in_float64(self, error: RefusedError) -> None:
        """Neither model rounds here, so they agree to `EXACT` or not at all."""
        if self.is_range:
            self.settled = "inconclusive", f"{error}, and there is no float64 reference"
            return
        self.notes.append(
            f"onnxruntime cannot run this graph: both models ran in float64 ({error})"
        )
        self.settled = compare_in_float64(
            [spec.name for spec in self.a.outputs],
            [self.a.reference(feed.arrays) for feed in self.feeds],
            [self.b.reference(feed.arrays) for feed in self.feeds],
        )

    def _rows(
        self,
        cases: Sequence[OutputCase],
        pairs: Mapping[str, tuple[Sequence[Run], Sequence[Run]]],
    ) -> list[OutputRow]:
        rows = []
        for level, (original, other) in pairs.items():
            is_own = self.is_range and level == self.levels[0]
            for i, case in enumerate(cases):
                ours, theirs = [run[i] for run in original], [run[i] for run in other]
                row = case.row(level, ours, theirs, is_own_reference=is_own)
                # Without the batch norm in between, onnxruntime computes a layer in integers that
                # it computes in floats with it: right, but rounded in other places.
                if case.is_stepped and level != "none" and not row.non_finite:
                    row = replace(
                        row, is_within=True, is_judged=False, remark="not judged: integer kernels"
                    )
                rows.append(row)
        return rows

    @cached_property
    def _stepped(self) -> frozenset[str]:
        """The outputs that a step reaches in either model."""
        if not isinstance(self.a, OnnxSubject):
            return stepped_outputs(self.b.model)
        return stepped_outputs(self.a.model) | stepped_outputs(self.b.model)

    def _references(self) -> Sequence[Run]:
        """The float64 outputs of the original; where there are none, its own runs."""
        results = []
        for feed, run in zip(self.feeds, self.original, strict=True):
            try:
                results.append(_of_shapes(run, self.a.reference(feed.arrays)))
            except (EvaluationError, UnsupportedOperatorError) as error:
                self.notes.append(f"there is no float64 reference ({error}): {_COMPARED_WITH}")
                return self._own_references()
            self.step()
        self.method = self.a.method
        return results

    def _own_references(self) -> Sequence[Run]:
        self.method = f"{RANGE}: against the spread of the original's own runs"
        self.is_range = True
        return [[_widened(array) for array in run] for run in self.original]

    def _is_doubted(self, cases: Sequence[OutputCase]) -> bool:
        """Whether the reference is no yardstick; activations are moved too before that is said."""
        if not any(case.doubt() for case in cases):
            return False
        for copy in range(COPIES_AS_REFERENCE):
            runner = self.a.open(self.setting, noise=(self.seed, copy), is_jittered=True)
            for index, feed in enumerate(self.feeds):
                for i, array in enumerate(runner.run(feed.arrays)):
                    if array.shape == self.original[index][i].shape:
                        cases[i].add_spread(index, array)
                self.step()
        found = next(filter(None, (case.doubt() for case in cases)), None)
        if found is None:
            return False
        feed = next((feed for feed in self.feeds if feed.name == found.feed), self.feeds[0])
        self.doubt = with_operator(found, self.a, feed, self.setting)
        self.notes.append(f"{self.doubt.sentence}; {_COMPARED_WITH}")
        return True

    def _cases(self, references: Sequence[Run]) -> list[OutputCase]:
        names = [feed.name for feed in self.feeds]
        return [
            OutputCase(
                spec.name,
                names,
                [run[i] for run in references],
                [run[i] for run in self.original],
                is_stepped=spec.name in self._stepped,
            )
            for i, spec in enumerate(self.a.outputs)
        ]

    def _add_noise(self, cases: Sequence[OutputCase], copies: Iterable[int]) -> None:
        self._add_copies(dict(enumerate(cases)), copies, is_jittered=self.is_range)

    def _add_strong_copies(self, cases: Sequence[OutputCase]) -> bool:
        """Copies that turn what rounding can turn, for decisions and steps; whether there are."""
        chosen = {i: case for i, case in enumerate(cases) if case.wants_strong_copies}
        if chosen:
            first = COPIES_AS_REFERENCE + COPIES_IN_DOUBT
            copies = range(first, first + open_choice.COPIES)
            self._add_copies(chosen, copies, is_jittered=True, strength=open_choice.STRENGTH)
        return bool(chosen)

    def _add_copies(
        self,
        cases: Mapping[int, OutputCase],
        copies: Iterable[int],
        *,
        is_jittered: bool,
        strength: int = 1,
    ) -> None:
        for copy in copies:
            noise = (self.seed, copy)
            runner = self.a.open(
                self.setting, noise=noise, is_jittered=is_jittered, strength=strength
            )
            for index, feed in enumerate(self.feeds):
                run = runner.run(feed.arrays)
                for i, case in cases.items():
                    if run[i].shape == self.original[index][i].shape:
                        case.add_noise(index, run[i])
                    else:
                        self.wavering.add((index, i))
                self.step()

    def _runs(self, subject: Subject, setting: Setting) -> list[Run]:
        runner = subject.open(setting)
        results = []
        for feed in self.feeds:
            results.append(runner.run(feed.arrays))
            self.step()
        return results

    def _astray(self, level: str, original: Sequence[Run]) -> str | None:
        """That the original itself has another shape at this level than at the first, if so."""
        for feed, first, run in zip(self.feeds, self.original, original, strict=True):
            for spec, x, y in zip(self.a.outputs, first, run, strict=True):
                if x.shape != y.shape:
                    return (
                        f"the original itself gives output {spec.name!r} the shape "
                        f"{list(y.shape)} at optimisation level {level!r}, and {list(x.shape)} "
                        f"at {self.levels[0]!r}, on inputs {feed.name!r}: a "
                        "stored shape (value_info) that is stale does that; drop it, or infer anew"
                    )
        return None

    def _shape_mismatch(
        self, original: Sequence[Run], other: Sequence[Run]
    ) -> tuple[Verdict, str] | None:
        for index, (ours, theirs) in enumerate(zip(original, other, strict=True)):
            for i, (a, b) in enumerate(zip(ours, theirs, strict=True)):
                if a.shape == b.shape:
                    continue
                sentence = (
                    f"output {self.a.outputs[i].name!r} has shape {list(b.shape)} on inputs "
                    f"{self.feeds[index].name!r}, {list(a.shape)} in the original"
                )
                if (index, i) not in self.wavering:
                    return "different", sentence
                return "inconclusive", (
                    f"{sentence}; a rounding changes that length in the original too, and the "
                    "models select in different ways, so that nothing can be matched"
                )
        return None

    def selected_alike(
        self, whole: Runner, feeds: Sequence[Feed], returned: Sequence[TensorSpec]
    ) -> None:
        """Notes what the other model, run as it is and not cut, selects otherwise."""
        try:
            theirs = [whole.run(feed.arrays)[: len(returned)] for feed in feeds]
        except RunError as error:
            self.settled = self._failed(error)
            return
        names = [spec.name for spec in returned]
        apart = selected_otherwise(names, [run[: len(names)] for run in self.original], theirs)
        if apart:
            self.notes.append(
                f"selected by one model alone: {', '.join(apart)}; what they are selected by "
                "agrees up to rounding"
            )


def steps(feeds: int, levels: int) -> int:
    """How often `step` is called, about: references, neighbours, and both models at each level."""
    return feeds * (1 + COPIES + 2 * levels - 1)


def _of_shapes(run: Run, reference: Run) -> Run:
    """The reference, which has the shapes of the run.

    Raises:
        EvaluationError: it has others: float64 selects otherwise, or one of the two is wrong.
    """
    for ours, exact in zip(run, reference, strict=True):
        if ours.shape != exact.shape:
            shapes = f"{list(exact.shape)} in float64, {list(ours.shape)} in the runtime"
            raise EvaluationError(f"an output has the shape {shapes}")
    return reference


def _widened(array: Array) -> Array:
    return array if is_exact_dtype(array.dtype) else array.astype("float64")
