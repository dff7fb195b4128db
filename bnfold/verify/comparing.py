"""From a pair of models to a verdict: inputs, runs, judgement, and on failure the place."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from bnfold.errors import DataError
from bnfold.fold.api import FoldResult, fold
from bnfold.progress import Progress
from bnfold.runtime.engine import Setting
from bnfold.runtime.extents import open_extents, ranked
from bnfold.runtime.sessions import RunError
from bnfold.runtime.signature import TensorSpec
from bnfold.verify.comparison import RunningComparison, stepped, steps
from bnfold.verify.decisions import decision_rows
from bnfold.verify.drawn_ids import DrawnIds
from bnfold.verify.evidence import evidence_of
from bnfold.verify.feeds import Feed
from bnfold.verify.localise import InnerSearch, locate
from bnfold.verify.measure import FLOOR_ULP, K
from bnfold.verify.neighbour import Neighbour
from bnfold.verify.pairing import Pair
from bnfold.verify.ranks import possible_ranks
from bnfold.verify.reach import resting
from bnfold.verify.records import Location, OutputRow, Verdict, Verification
from bnfold.verify.rerun import Maker, Trial, is_finite
from bnfold.verify.seen_operators import is_narrow
from bnfold.verify.selections import apply
from bnfold.verify.shapes import Run, is_lost
from bnfold.verify.subject import OnnxSubject, Runner
from bnfold.verify.user_data import Data, user_feeds
from bnfold.verify.verdict import EXPORT, MODELS, verdict_of, worst_of
from bnfold.verify.yardstick import Yardstick

SAMPLES = 8
"""Sets of inputs to make up where the user gives none: each kind, in several shapes."""


@dataclass(frozen=True)
class FirstRuns:
    """The feeds with the original's outputs on each, and what there is to say about them."""

    feeds: list[Feed]
    runs: list[Run]
    notes: tuple[str, ...] = ()
    resting: tuple[str, ...] = ()
    """Outputs that were the same on all of them."""

    resting_at_0: tuple[str, ...] = ()
    """Those that were 0 there."""

    infinite: tuple[Feed, ...] = ()
    """Sets that are not among them, as the original gives infinities there."""


@dataclass(frozen=True)
class ComparisonJob:
    """A pair of models and how they are to be run; levels are judged one by one."""

    pair: Pair
    setting: Setting
    levels: tuple[str, ...]
    seed: int
    progress: Progress | None
    ids: DrawnIds
    """Those of all sets that were compared."""

    def on_data(self, data: Data, samples: int | None) -> FirstRuns:
        """The user's inputs, run through the original.

        Raises:
            DataError: it does not run on them.
        """
        feeds = user_feeds(data, self.pair.inputs, samples)
        runner = self.pair.original.open(self.setting)
        try:
            return FirstRuns(feeds, [runner.run(feed.arrays) for feed in feeds])
        except RunError as error:
            raise DataError(f"the original does not run on the data: {error}") from error

    def on_generated(self, samples: int | None, dims: Mapping[str, int]) -> FirstRuns:
        """Made-up inputs; those that drive the original out of its range are left out.

        Where an output rests on all of them, sets that reach further are tried too.
        """
        maker = self.maker(dims)
        trials = maker.sets(SAMPLES if samples is None else samples)
        resting = self._resting(maker, trials)
        if resting:
            trials += [*maker.reaching(), *maker.with_large_integers()]
            resting = self._resting(maker, trials)
        notes = []
        good = [(feed, run) for feed, run in trials if is_finite(run)]
        if good and len(good) < len(trials):
            dropped = ", ".join(repr(feed.name) for feed, run in trials if not is_finite(run))
            notes.append(f"left out, as the original gives NaN or Inf there: inputs {dropped}")
        kept = good or trials
        return FirstRuns(
            [feed for feed, _ in kept],
            [run for _, run in kept],
            tuple(notes),
            tuple(resting),
            self._at_0(resting, kept),
            tuple(maker.infinite.values()) if good else (),
        )

    def _at_0(self, names: Sequence[str], trials: Sequence[Trial]) -> tuple[str, ...]:
        places = {spec.name: i for i, spec in enumerate(self.pair.returned)}
        return tuple(n for n in names if not any(run[places[n]].any() for _, run in trials))

    def with_scores(self, first: FirstRuns) -> FirstRuns:
        """The runs of a torch module once more, with what stands behind its outputs, if it does.

        A graph shows that before it is run; a module is watched while it runs. So are its ends.
        """
        original, other = self.pair.original, self.pair.other
        if isinstance(original, OnnxSubject):
            return first
        from bnfold.verify.torch_ends import watch_calls
        from bnfold.verify.torch_scores import show_scores
        from bnfold.verify.torch_subject import TorchSubject

        assert isinstance(original, TorchSubject), "there are two kinds of subjects"
        free = self.pair.large_integers().names
        watch_calls(original, other, first.feeds[0].arrays, free)
        if not show_scores(original, other, first.feeds[0].arrays, self.setting):
            return first
        runner = original.open(self.setting)
        return replace(first, runs=[runner.run(feed.arrays) for feed in first.feeds])

    def with_ranks(self, dims: Mapping[str, int]) -> ComparisonJob:
        """The job with a rank for each input that declares none, see `ranks`.

        Raises:
            UsageError: there is none with which the original runs.
        """
        pair = self.pair
        if all(spec.dims is not None for spec in pair.made_for):
            return self
        models = [subject.model for subject in pair.onnx_models]
        known = ranked(pair.inputs, dims)
        runner, running = pair.original.open(self.setting), {}
        for specs in possible_ranks(known, models):
            ranks = tuple(len(spec.dims or ()) for spec in specs)
            if ranks not in running and _runs(self.of_ranks(specs).maker(dims, runner)):
                running[ranks] = specs
        if not running:
            open_extents(known)  # which says what to do
        first, *others = running.values()
        found = self.of_ranks(first)
        return replace(found, pair=replace(found.pair, other_ranks=tuple(others)))

    def of_ranks(self, specs: tuple[TensorSpec, ...]) -> ComparisonJob:
        """The job with these inputs."""
        return replace(self, pair=replace(self.pair, made_for=specs, inputs=specs))

    def maker(self, dims: Mapping[str, int], runner: Runner | None = None) -> Maker:
        """What makes inputs up for the original; `runner` is it, where ranks are tried on it.

        For ranks that may be wrong no sizes are looked for that fit the constants of a graph.
        """
        pair, original = self.pair, self.pair.original
        placed = None
        if runner is None and isinstance(original, OnnxSubject):
            placed = partial(original.placed, self.setting)
        return Maker(
            runner or original.open(self.setting),
            pair.made_for,
            self.seed,
            pair.sizes(dims),
            (pair.bounds(), pair.wide_bounds(is_signed=False), pair.wide_bounds(is_signed=True)),
            pair.told(),
            pair.large_integers(),
            pair.half is not None or any(is_narrow(s.model) for s in pair.onnx_models),
            placed,
        )

    def within_half(self, trials: Sequence[Trial]) -> list[Trial]:
        """Those of the sets on which the original has its numbers in half precision too."""
        half, original = self.pair.half, self.pair.original
        if half is None or not trials:
            return list(trials)
        runner = original.open(self.setting, Neighbour((self.seed, 0), half=half))
        runs = ((trial, runner.run(trial[0].arrays)) for trial in trials)
        return [trial for trial, run in runs if not any(map(is_lost, trial[1], run))]

    def _resting(self, maker: Maker, trials: Sequence[Trial]) -> list[str]:
        """The outputs that are the same on all of the sets, though the numbers should tell."""
        returned = self.pair.returned
        followers = [i for i, spec in enumerate(returned) if self.pair.follows_numbers(spec.name)]
        if not trials or not followers or not resting(trials, followers):
            return []
        again = maker.again(trials[0][0])  # no two sets may have one shape
        more = [*trials, again] if again is not None else trials
        return [returned[i].name for i in resting(more, followers)]

    def compare(
        self, first: FirstRuns, *, is_user_data: bool = False, is_located: bool = True
    ) -> Verification:
        """All runs, the verdict, and on failure the place, unless that is not wanted."""
        for feed in first.feeds:
            self.ids.take(feed.arrays)
        a, b, feeds, whole = self.pair.original, self.pair.other, first.feeds, None
        plain = self.pair.plain
        if self.pair.cut is not None and isinstance(a, OnnxSubject):
            whole = b.open(self.setting)
            a, b, feeds = apply(self.pair.cut, a, b, feeds, first.runs)
            plain = None
        step = self._step(len(first.feeds))
        yardstick = Yardstick(
            a, feeds, first.runs, self.setting, self.seed, stepped(a, b), step, self.pair.half
        )
        comparison = RunningComparison(a, b, plain, yardstick, self.levels)
        comparison.run()
        if whole is not None and comparison.settled is None:
            comparison.selected_alike(whole, first.feeds, self.pair.returned)
        verdict, reason = comparison.settled or self.verdict_of(comparison.rows, len(first.feeds))
        found = replace(
            self.unmeasured(verdict, reason),
            method=yardstick.method,
            feeds=tuple(feed.row() for feed in first.feeds),
            notes=(*first.notes, *comparison.notes),
            outputs=tuple(comparison.rows),
            doubt=yardstick.doubt,
        )
        if comparison.settled is not None:
            return found
        if is_user_data:
            rows = decision_rows(self.pair.returned, first.runs, comparison.others)
            found = replace(found, decisions=tuple(rows))
        if verdict == "different" and is_located:
            return replace(found, location=self._location(found, first.feeds))
        return found

    def compare_on(
        self, provider: str, first: FirstRuns, found: Verification, *, is_user_data: bool
    ) -> Verification:
        """What was found, and on a further provider, on the same inputs."""
        there = replace(self, setting=replace(self.setting, provider=provider))
        runner = self.pair.original.open(there.setting)
        runs = [runner.run(feed.arrays) for feed in first.feeds]
        again = there.compare(replace(first, runs=runs), is_user_data=is_user_data)
        providers = (*found.providers, provider)
        if again.is_equivalent and not found.outputs:  # compared in float64, on no provider
            return replace(found, providers=providers)
        if not again.is_equivalent:
            return replace(again, providers=providers, reason=f"on {provider}: {again.reason}")
        rows = [max(pair, key=worst_of) for pair in zip(found.outputs, again.outputs, strict=True)]
        notes = tuple(dict.fromkeys((*found.notes, *again.notes)))
        verdict, reason = self.verdict_of(rows, len(first.feeds))
        return replace(
            found,
            providers=providers,
            verdict=verdict,
            reason=reason,
            notes=notes,
            outputs=tuple(rows),
        )

    def covered(self, found: Verification, *, is_user_data: bool) -> Verification:
        """What was found, with what the inputs reached of the original."""
        a, coverage, reason = self.pair.original, None, found.reason
        if found.is_followed:
            coverage = a.reached.coverage(self.ids.shares(), self.pair.other.reached)
            words = coverage.sentence()
            if words and found.is_equivalent:
                hint = "rows in --data that do" if is_user_data else "inputs that do: --data"
                reason += f"; not compared, as no input got there: {words} ({hint})"
        evidence = evidence_of(found.feeds, found.outputs, coverage)
        return replace(found, coverage=coverage, reason=reason, evidence=evidence)

    def verdict_of(self, rows: Sequence[OutputRow], feeds: int) -> tuple[Verdict, str]:
        """The verdict on rows, and its reason, see `verdict`."""
        half = self.pair.half
        words = MODELS if isinstance(self.pair.original, OnnxSubject) else EXPORT
        if half is not None:
            words = replace(words, unit=f"the original's rounding error in {half.name.lower()}")
        return verdict_of(rows, feeds, words)

    def unmeasured(self, verdict: Verdict, reason: str) -> Verification:
        """The record of a verification without any measurement."""
        return Verification(
            verdict=verdict,
            reason=reason,
            original=self.pair.original.name,
            other=self.pair.other.name,
            method=self.pair.original.method,
            factor=K,
            floor_ulp=FLOOR_ULP,
            providers=(self.setting.provider,),
            levels=self.levels,
            structure=self.pair.structure,
            seed=self.seed,
            as_dtype="" if self.pair.half is None else self.pair.half.name.lower(),
            sha256=self.pair.hashes(),
        )

    def _step(self, feeds: int) -> Callable[[], None]:
        total, done = steps(feeds, len(self.levels)), 0
        what = f"{self.pair.other.name} against {self.pair.original.name}, {self.setting.provider}"

        def step() -> None:
            nonlocal done
            done = min(done + 1, total)
            if self.progress is not None:
                self.progress(done, total, what)

        return step

    def _location(self, found: Verification, feeds: Sequence[Feed]) -> Location | None:
        bad = [row for row in found.outputs if not row.is_within and row.level == "none"]
        original, other = self.pair.plain or (self.pair.original, self.pair.other)
        if not bad or not isinstance(original, OnnxSubject) or self.pair.half is not None:
            return None
        model = original.model

        def refold(skip: Sequence[str]) -> FoldResult:
            return fold(model, skip=skip, check=False)  # what it is about is judged here

        worst = next((feed for feed in feeds if feed.name == bad[0].worst_feed), feeds[0])
        telling = [feed for feed in feeds if feed.kind != "zeros"]
        least = min(telling, key=elements_of, default=worst)  # time and memory follow its size
        is_trusted = found.doubt is None
        for feed in dict.fromkeys((least.name, worst.name)):
            chosen = next(each for each in feeds if each.name == feed)
            search = InnerSearch(
                original, other, chosen, self.setting, self.seed, is_trusted=is_trusted
            )
            place = locate(search, refold)
            if place is not None:
                return place
        return None


def _runs(maker: Maker) -> bool:
    try:
        return bool(maker.sets(1))
    except DataError:
        return False


def elements_of(feed: Feed) -> int:
    """How many numbers a set has."""
    return sum(array.size for array in feed.arrays.values())
