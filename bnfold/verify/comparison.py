"""Both models, at each level, on each feed, one session at a time; and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from bnfold.runtime.engine import Setting
from bnfold.runtime.sessions import RefusedError, RunError
from bnfold.runtime.signature import TensorSpec
from bnfold.verify.case import OutputCase
from bnfold.verify.feeds import Feed
from bnfold.verify.half import ulp_of_half
from bnfold.verify.in_float64 import compare_in_float64
from bnfold.verify.records import OutputRow, Verdict
from bnfold.verify.second_look import SecondLook, is_narrower, is_near, look_again
from bnfold.verify.seen_operators import coarsest_ulp, is_for_one_cpu, stepped_outputs
from bnfold.verify.selections import selected_otherwise
from bnfold.verify.shapes import Run, astray, shape_mismatch
from bnfold.verify.subject import OnnxSubject, Runner, Subject
from bnfold.verify.yardstick import COPIES, Yardstick

_BEYOND_QUESTION = 1e4
"""Times the original's own rounding error; with steps or decisions it is no rounding at all."""

_OVERFLOW = (
    "the original overflows in half precision; on a CPU the runtime computes it in float32, so "
    "that the copy does not overflow here: run it on the device that it is for (--provider)"
)

_ONE_CPU = (
    "onnxruntime saved it for one kind of CPU, which this one may not be: save it at level "
    "'extended', or on this machine"
)


@dataclass
class RunningComparison:
    """What has been run of the other model so far, and what came of it.

    Attributes:
        a, b: the models; they may return more than their outputs at the first level.
        plain: the two as they are, for the levels behind the first; None for `a` and `b`.
        yardstick: what `b` is measured with.
        levels: of the runtime's optimisations.
        others: the other model's runs at the first level.
        settled: the verdict, where the rows do not decide.
    """

    a: Subject
    b: OnnxSubject
    plain: tuple[Subject, OnnxSubject] | None
    yardstick: Yardstick
    levels: Sequence[str]
    rows: list[OutputRow] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    settled: tuple[Verdict, str] | None = None
    others: Sequence[Run] = ()
    _pairs: dict[str, tuple[Sequence[Run], Sequence[Run]]] = field(default_factory=dict)
    _second_look: SecondLook | None = None

    def run(self) -> None:
        """All of it."""
        self.yardstick.make()
        self.notes += self.yardstick.notes
        stray = self._run_levels()
        if self.settled is not None:
            return
        self.others = self._pairs[self.levels[0]][1]
        self._judge()
        if stray is not None and self._is_within():
            self.settled = "inconclusive", stray
        if self._is_within() and self._computes_wider():
            feeds = ", ".join(map(repr, self.yardstick.overflowing))
            self.settled = "inconclusive", f"on inputs {feeds} {_OVERFLOW}"
        left_out = self.yardstick.chaotic_feeds()
        if left_out:
            self.notes.append(
                "left out, as there the original's own rounding error is out of all proportion: "
                f"inputs {', '.join(map(repr, left_out))}"
            )

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
        ours = [run[: len(names)] for run in self.yardstick.original]
        apart = selected_otherwise(names, ours, theirs)
        if apart:
            self.notes.append(
                f"selected by one model alone: {', '.join(apart)}; what they are selected by "
                "agrees up to rounding"
            )

    def _run_levels(self) -> str | None:
        """Both models at each level; the sentence where the original's own shapes are stale."""
        yardstick, names = self.yardstick, [spec.name for spec in self.a.outputs]
        for level in self.levels:
            setting = replace(yardstick.setting, level=level)
            # the yardstick has run the original at the first level, with what it returns besides
            is_first = not self._pairs
            a, b = (self.a, self.b) if is_first or self.plain is None else self.plain
            ours = yardstick.original if is_first else self._runs(a, setting)
            levels = self.levels[0], level
            stray = astray(names, yardstick.feeds, levels, yardstick.original, ours)
            if stray is not None:
                return stray
            try:
                theirs = self._runs(b, setting)
            except RunError as error:
                self.settled = self._failed(error)
                return None
            except RefusedError as error:
                if isinstance(self.a, OnnxSubject):
                    raise  # the original ran here; a module of torch says nothing of onnxruntime
                self._compare_in_float64(error)
                return None
            self._pairs[level] = ours, theirs
            unstable = yardstick.unstable
            self.settled = shape_mismatch(names, yardstick.feeds, ours, theirs, unstable)
            if self.settled is not None:
                return None
        return None

    def _judge(self) -> None:
        """The rows; before a no that is not beyond question, more neighbours are run."""
        self._add_rows()
        if not self.yardstick.stepped and any(map(_is_beyond_question, self.rows)):
            return
        # the cheapest first, and each that widens what rounding explains only where it is wanted
        looks: Iterable[Callable[[], bool]] = (
            self._add_integer_copies,
            self.yardstick.add_copies_in_doubt,
            self._look_at_the_other,
            self.yardstick.add_strong_copies,
            self._add_kinds,
        )
        for look in looks:
            if self._is_within():
                return
            if look():
                self._add_rows()

    def _add_integer_copies(self) -> bool:
        """Where a quantised output is off with optimisations on: what integer kernels explain."""
        is_wanted = any(not row.is_within and row.level != "none" for row in self.rows)
        return is_wanted and self.yardstick.add_integer_copies()

    def _add_kinds(self) -> bool:
        """Where NaN and infinities are all that is off: which of them rounding decides."""
        off = [row for row in self.rows if not row.is_within]
        return all(row.non_finite for row in off) and self.yardstick.add_kinds(
            {row.name for row in off}
        )

    def _look_at_the_other(self) -> bool:
        """Where little is missing: whether the other model only rounds more coarsely."""
        if not is_near(self.yardstick.cases, self.rows):
            return False
        if is_narrower(self.b, self.a, self.yardstick.original):
            return False
        self._second_look = look_again(self.b, self.yardstick, self.others)
        return True

    def _computes_wider(self) -> bool:
        """Whether the other model may overflow elsewhere: a CPU computes it in float32."""
        half, setting = self.yardstick.half, self.yardstick.setting
        if half is None or not self.yardstick.overflowing or setting.provider != "cpu":
            return False
        return coarsest_ulp(self.b.model) >= ulp_of_half(half)

    def _add_rows(self) -> None:
        self.rows = [
            self._row(level, i, case, ours, theirs)
            for level, (ours, theirs) in self._pairs.items()
            for i, case in enumerate(self.yardstick.cases[: len(ours[0])])
        ]

    def _row(
        self, level: str, i: int, case: OutputCase, ours: Sequence[Run], theirs: Sequence[Run]
    ) -> OutputRow:
        row = case.row(
            level,
            [run[i] for run in ours],
            [run[i] for run in theirs],
            is_own_reference=self.yardstick.half is not None
            or (self.yardstick.is_range and level == self.levels[0]),
        )
        look = self._second_look
        return row if look is None else look.row(case, i, row, theirs)

    def _is_within(self) -> bool:
        return all(row.is_within for row in self.rows)

    def _failed(self, error: RunError) -> tuple[Verdict, str]:
        sentence = f"{error} (the original does)"
        if not is_for_one_cpu(self.b.model):
            return "different", sentence
        return "inconclusive", f"{sentence}; {_ONE_CPU}"

    def _compare_in_float64(self, error: RefusedError) -> None:
        """Neither model rounds here, so they agree to `EXACT` or not at all."""
        if self.yardstick.is_range:
            self.settled = "inconclusive", f"{error}, and there is no float64 reference"
            return
        self.notes.append(
            f"onnxruntime cannot run this graph: both models ran in float64 ({error})"
        )
        feeds = self.yardstick.feeds
        self.settled = compare_in_float64(
            [spec.name for spec in self.a.outputs],
            [self.a.reference(feed.arrays) for feed in feeds],
            [self.b.reference(feed.arrays) for feed in feeds],
        )

    def _runs(self, subject: Subject, setting: Setting) -> list[Run]:
        runner = subject.open(setting)
        results = []
        for feed in self.yardstick.feeds:
            results.append(runner.run(feed.arrays))
            self.yardstick.step()
        return results


def _is_beyond_question(row: OutputRow) -> bool:
    """Whether no neighbours could explain it: a few of them tell the order of a rounding error."""
    return row.is_judged and not row.is_exact and row.ratio > _BEYOND_QUESTION


def stepped(a: Subject, b: OnnxSubject) -> frozenset[str]:
    """The outputs that quantised activations reach in either model."""
    if not isinstance(a, OnnxSubject):
        return stepped_outputs(b.model)
    return stepped_outputs(a.model) | stepped_outputs(b.model)


def steps(feeds: int, levels: int) -> int:
    """How often a step is taken, about: references, neighbours, and both models at each level."""
    return feeds * (1 + COPIES + 2 * levels - 1)
