"""What is looked at beyond the usual sets, where those find two models equivalent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import islice

from bnfold.float64 import EvaluationError, UnsupportedOperatorError
from bnfold.runtime.sessions import RunError
from bnfold.verify.comparing import ComparisonJob, FirstRuns, elements_of
from bnfold.verify.ends import unshared
from bnfold.verify.feeds import Feed
from bnfold.verify.ids import go_one_way
from bnfold.verify.inference import elements_at
from bnfold.verify.inner_decisions import with_decisions
from bnfold.verify.long_constants import lengths_of_constants
from bnfold.verify.measure import K
from bnfold.verify.nan_set import apart_on_nan, with_nan
from bnfold.verify.non_finite import is_as_meant
from bnfold.verify.records import OutputRow, Verification
from bnfold.verify.rerun import CLIMBING, Trial
from bnfold.verify.seek import AIMS, Climb, afforded
from bnfold.verify.sides import Wanted
from bnfold.verify.size_branches import sizes_of_branches, turns_of_branches
from bnfold.verify.subject import OnnxSubject
from bnfold.verify.verdict import faint_rows, worst_of
from bnfold.verify.without_casts import without_casts
from bnfold.verify.without_steps import has_steps_in_order, without_steps

FURTHER = 3
"""Sets that reach further, at most: they are looked for to find what is at rest, not to measure."""

FLIPS = 2.0 * K
"""Times the original's error that flips of steps explain, if models are the same without steps."""

GROSS = 1e3
"""Times the original's spread that no kernel is coarser, where large numbers are fed blindly."""

_WORK = 1 << 36
"""Rows times bytes of weights: 64 rows of 1 GiB, each of which takes seconds in float64."""

_WORK_OF_IDS, _ROWS_OF_IDS = 1 << 29, 512
"""The same of sets that draw the rest of a table, of which there are several; and rows at most."""

_LONGEST, _TABLES, _LENGTHS = 4096, 2, 4
"""Of sequences as long as a table of positions; of tables, and of sets of that size, at most."""

_MOST_NUMBERS = 1 << 25
"""Of all tensors at such a length: attention grows with its square."""

_NO_CASTS = "without what is rounded to half precision in between"

_NO_STEPS = "without the steps of quantised activations"


def compare_without_steps(
    job: ComparisonJob, found: Verification, first: FirstRuns
) -> Verification:
    """What was found, as quantised models tell where their activations are not rounded.

    Where they part there, they are different. Where they do not, and have the same steps in the
    same order, a ratio that is a little too large tells of flips that no copy happened to have.
    """
    a, b = job.pair.plain or (job.pair.original, job.pair.other)
    if job.pair.half is not None or not isinstance(a, OnnxSubject):
        return found
    if not all(map(_is_near, found.outputs)):
        return found
    smooth = without_steps(a, b)
    if smooth is None:
        return found
    again = _compared(job, *smooth, first)
    if again.verdict == "different" and found.is_equivalent:
        return _parted(found, again, _NO_STEPS)
    if again.is_equivalent and found.outputs and has_steps_in_order(a.model, b.model):
        rows = [row if row.is_within else _explained(row) for row in found.outputs]
        verdict, reason = job.verdict_of(rows, len(found.feeds))
        return replace(found, verdict=verdict, reason=reason, outputs=tuple(rows), location=None)
    return found


def compare_without_casts(
    job: ComparisonJob, found: Verification, first: FirstRuns
) -> Verification:
    """What was found; different, where what both round to half precision covered what they are."""
    a, b = job.pair.plain or (job.pair.original, job.pair.other)
    if job.pair.half is not None or not found.is_equivalent or not isinstance(a, OnnxSubject):
        return found
    smooth = without_casts(a, b)
    if smooth is None:
        return found
    again = _compared(job, *smooth, first)
    return _parted(found, again, _NO_CASTS) if again.verdict == "different" else found


def _parted(found: Verification, again: Verification, where: str) -> Verification:
    """That the two are different, with the rows of both comparisons."""
    rows = [replace(row, remark=f"{row.remark} {where}".strip()) for row in again.outputs]
    reason, outputs = f"{where}, {again.reason}", (*found.outputs, *rows)
    return replace(again, reason=reason, outputs=outputs, levels=found.levels)


def _compared(
    job: ComparisonJob, original: OnnxSubject, other: OnnxSubject, first: FirstRuns
) -> Verification:
    """The two models in place of those of the job, at its first level."""
    runner = original.open(job.setting)
    pair = replace(job.pair, original=original, other=other, plain=None, cut=None)
    there = replace(job, pair=pair, levels=job.levels[:1])
    return there.compare(replace(first, runs=[runner.run(f.arrays) for f in first.feeds]))


def _is_near(row: OutputRow) -> bool:
    """Whether the row is within, or off by so little that flips may do it."""
    return row.is_within or (not row.is_exact and not row.non_finite and worst_of(row) <= FLIPS)


def _explained(row: OutputRow) -> OutputRow:
    return replace(row, is_within=True, remark="flips other steps, and is the same without them")


def compare_further(
    job: ComparisonJob, found: Verification, first: FirstRuns, dims: Mapping[str, int]
) -> Verification:
    """What was found, and on sets that reach what the usual ones left at rest, if there are.

    Those on which the original overflows in half precision are not asked of a copy in it.
    """
    if found.is_equivalent and not isinstance(job.pair.original, OnnxSubject):
        found = _on_other_sides(job, found, first, dims)
    if found.is_equivalent:
        found = _compared_on(job, found, _to_infinity(job, first))
    if found.is_equivalent:
        found = _compared_on(job, found, _on_ids_outside(job, dims))
    if found.is_equivalent:
        found = _compared_on(job, found, _on_ids_left(job, dims))
    if found.is_equivalent:
        found = _compared_on(job, found, _on_branches(job, first, dims))
    if found.is_equivalent:
        found = _compared_on(job, found, _on_leaves(job, dims))
    for specs in job.pair.other_ranks:
        if found.is_equivalent:
            there = job.of_ranks(specs)
            found = _compared_on(there, found, there.maker(dims).sets(1))
    if not found.is_followed:
        return _compared_blindly(job, found, dims) if found.is_equivalent else found
    look_at(job, first)
    if found.is_equivalent:
        found = _compared_on(job, found, _on_lengths_left(job, dims))
    if found.is_equivalent and faint_rows(found.outputs):
        found = _compared_on(job, found, list(job.maker(dims).many_rows(_rows_in_time(job))))
    for sets in (_reaching, _climbing):
        if found.is_equivalent and not _is_all_reached(job):
            found = _compared_on(job, found, sets(job, dims))
    return found


def _rows_in_time(job: ComparisonJob) -> int:
    """How many rows at once do not take longer than all else."""
    return max(1, _WORK // max(1, _weight_bytes(job)))


def _weight_bytes(job: ComparisonJob) -> int:
    """Of the larger model: about what a row costs in float64."""
    return max((s.weight_bytes for s in job.pair.onnx_models), default=0)


def _on_other_sides(
    job: ComparisonJob, found: Verification, first: FirstRuns, dims: Mapping[str, int]
) -> Verification:
    """What was found, and with sizes on which a torch module branches."""
    from bnfold.verify.torch_sizes import sizes_of_other_sides
    from bnfold.verify.torch_subject import TorchSubject

    original, maker = job.pair.original, job.maker(dims)
    assert isinstance(original, TorchSubject), "there are two kinds of subjects"
    try:
        sizes = sizes_of_other_sides(original, [f.arrays for f in first.feeds], maker.extents)
    except RunError as error:
        note = f"whether {original.name} branches on sizes is not known: {error}"
        return replace(found, notes=(*found.notes, note))
    return _compared_on(job, found, list(maker.with_sizes(sizes)))


def _on_branches(job: ComparisonJob, first: FirstRuns, dims: Mapping[str, int]) -> list[Trial]:
    """The sets of sizes, and of turns of loops, on which only one of two graphs branches."""
    a, b, maker = job.pair.original, job.pair.other, job.maker(dims)
    if not isinstance(a, OnnxSubject):
        return []
    trials = list(maker.with_turns(turns_of_branches(a.model, b.model)))
    if maker.extents:
        fed = min(first.feeds, key=elements_of).arrays
        sizes = sizes_of_branches(a.model, b.model, maker.extents, fed)
        trials += maker.with_sizes(sizes)
    for feed, _ in trials:
        _take_in(job, feed)
    return trials


def _to_infinity(job: ComparisonJob, first: FirstRuns) -> list[Trial]:
    """Sets on which the original gives infinities, and float64 the same; see `non_finite`."""
    original, found = job.pair.original, list[Trial]()
    if not first.infinite:
        return []
    runner = original.open(job.setting)
    for feed in first.infinite:
        with suppress(EvaluationError, UnsupportedOperatorError):  # whether it is an overflow
            run, exact = runner.run(feed.arrays), original.reference(feed.arrays)
            if is_as_meant(run, exact):
                found.append((feed, run))
    return found


def _on_ids_outside(job: ComparisonJob, dims: Mapping[str, int]) -> list[Trial]:
    """The sets with ids outside of their tables, unless both models do the same to ids."""
    a, b = job.pair.original, job.pair.other.model
    tables = job.pair.tables()
    if not tables or (isinstance(a, OnnxSubject) and go_one_way(a.model, b, tables)):
        return []
    return list(job.maker(dims).with_ids_outside(tables))


def _on_ids_left(job: ComparisonJob, dims: Mapping[str, int]) -> list[Trial]:
    """The sets with ids that no set has had, as far as their rows take next to no time."""
    rows = max(1, min(_ROWS_OF_IDS, _WORK_OF_IDS // max(1, _weight_bytes(job))))
    return list(job.maker(dims).with_ids_left(job.ids.left(), rows))


def _on_leaves(job: ComparisonJob, dims: Mapping[str, int]) -> list[Trial]:
    """The sets that meet the leaves of decision trees."""
    trials = list(job.maker(dims).with_tree_rows([s.model for s in job.pair.onnx_models]))
    for feed, _ in trials:
        _take_in(job, feed)
    return trials


def _on_lengths_left(job: ComparisonJob, dims: Mapping[str, int]) -> list[Trial]:
    """Sets as long as the tables of positions, of which shorter ones leave rows unread."""
    maker = job.maker(dims)
    weights, models = _weight_bytes(job), [s.model for s in job.pair.onnx_models]
    labels = dict.fromkeys(extent.label for extent in maker.extents if extent.axis)
    tables = job.pair.original.reached.sizes_left + job.pair.other.reached.sizes_left
    for model in models:
        tables += lengths_of_constants(model, _LONGEST)
    rows = [n for n in dict.fromkeys(tables) if n * weights <= _WORK_OF_IDS and n <= _LONGEST]
    places = {label: [e.place for e in maker.extents if e.label == label] for label in labels}
    sizes = [dict.fromkeys(places[label], n) for n in rows[:_TABLES] for label in places]
    sizes = [s for s in sizes if max(elements_at(m, s) for m in models) <= _MOST_NUMBERS]
    trials = list(maker.with_sizes(sizes[:_LENGTHS]))
    for feed, _ in trials:
        _take_in(job, feed)
    return trials


def _compared_blindly(
    job: ComparisonJob, found: Verification, dims: Mapping[str, int]
) -> Verification:
    """What was found, and on sets that reach far, where nothing tells what they reach.

    Only where the models may part there, and for what is no rounding of either: a kernel that is
    exact to an ulp of 1 is coarse where its results are faint, and there is no float64 to tell.
    """
    a, b = job.pair.original, job.pair.other
    if not isinstance(a, OnnxSubject) or not any(unshared(a.model, b.model, job.pair.half)):
        return found
    again = _compared_on(job, found, list(islice(job.maker(dims).reaching(), FURTHER)))
    is_gross = not again.outputs or any(map(_is_gross, again.outputs))
    return again if again.verdict != "different" or is_gross else found


def _is_gross(row: OutputRow) -> bool:
    return not row.is_within and (row.is_exact or bool(row.non_finite) or worst_of(row) > GROSS)


def _compared_on(job: ComparisonJob, found: Verification, more: Sequence[Trial]) -> Verification:
    """What was found, and on these sets too."""
    more = job.within_half(more)
    if not more:
        return found
    there = FirstRuns([feed for feed, _ in more], [run for _, run in more])
    again = with_decisions(job, job.compare(there), there)
    feeds = (*found.feeds, *again.feeds)
    if again.verdict == "different":
        return replace(again, feeds=feeds)
    if again.verdict == "inconclusive":
        return replace(found, notes=(*found.notes, f"on larger numbers: {again.reason}"))
    rows = [_worse(*pair) for pair in zip(found.outputs, again.outputs, strict=True)]
    verdict, reason = job.verdict_of(rows, len(feeds))
    return replace(found, verdict=verdict, reason=reason, feeds=feeds, outputs=tuple(rows))


def _worse(row: OutputRow, again: OutputRow) -> OutputRow:
    """The row with the larger ratio; a channel is faint where it is so on all sets."""
    worse = max(row, again, key=worst_of)
    return replace(worse, faint_channels=min(row.faint_channels, again.faint_channels))


def fed_nan(job: ComparisonJob, found: Verification, first: FirstRuns) -> Verification:
    """What was found, and whether the models part on NaN."""
    a, b = job.pair.plain or (job.pair.original, job.pair.other)
    fed = with_nan(min(first.feeds, key=elements_of).arrays)
    if fed is None:
        return found
    names = [spec.name for spec in job.pair.returned]
    with suppress(RunError):  # it is fed to tell more, and nobody asked for it
        note = apart_on_nan(names, a.open(job.setting), b.open(job.setting), fed)
        return replace(found, notes=(*found.notes, note)) if note else found
    return found


def _reaching(job: ComparisonJob, dims: Mapping[str, int]) -> list[Trial]:
    """The sets, with the original's outputs, that reach something of either model."""
    maker = job.maker(dims)
    kinds: Sequence[tuple[Wanted, Iterator[Trial]]] = (
        ("numbers", maker.with_offsets()),
        ("numbers", maker.reaching()),
        ("large integers", maker.with_large_integers()),
        ("other extents", maker.with_other_extents()),
    )
    return [trial for wanted, sets in kinds for trial in _telling(job, wanted, sets)]


def _telling(job: ComparisonJob, wanted: Wanted, sets: Iterator[Trial]) -> Iterator[Trial]:
    """Those of the sets that reach something, while such are wanted."""
    a, b, told = job.pair.original, job.pair.other, 0
    while told < FURTHER and wanted in a.reached.wanted | b.reached.wanted:
        trial = next(sets, None)
        if trial is None:
            return
        before = a.reached.count + b.reached.count
        _take_in(job, trial[0])
        if a.reached.count + b.reached.count > before:
            told += 1
            yield trial


def _climbing(job: ComparisonJob, dims: Mapping[str, int]) -> list[Trial]:
    """The sets, with the original's outputs, that a search finds for what is still at rest."""
    models = reversed(job.pair.onnx_models)  # the other model watches only what is its own
    aims = [(s, *aim) for s in models for aim in islice(s.reached.aims().items(), AIMS)]
    maker, more = job.maker(dims), []
    small = maker.small() if aims else None
    if small is None:
        return []
    start, is_batched = small
    searches, rows = afforded(len(aims), start.arrays)
    for index, (subject, words, aim) in enumerate(aims[:searches]):
        climb = Climb(subject.margin, aim, start.arrays, is_batched, (job.seed, index), rows)
        with suppress(EvaluationError, UnsupportedOperatorError):  # nothing to climb by
            met = climb.found()
            name = f"towards {words}"
            trial = None if met is None else maker.tried(name, "climb", met, CLIMBING + index)
            if trial is not None:
                _take_in(job, trial[0])
                more.append(trial)
    return more


def _take_in(job: ComparisonJob, feed: Feed) -> None:
    """What the inputs reach of both models; a set that float64 does not take tells nothing."""
    with suppress(EvaluationError, UnsupportedOperatorError):
        job.pair.original.reference(feed.arrays)
    _look(job.pair.other, feed)


def look_at(job: ComparisonJob, first: FirstRuns) -> None:
    """Takes in what the sets that were compared reach of the other model."""
    for feed in first.feeds:
        _look(job.pair.other, feed)


def _look(b: OnnxSubject, feed: Feed) -> None:
    """What the inputs reach of the other model; nothing is known of it without a reference."""
    if b.reached.count and b.reached.is_complete:
        return
    try:
        b.look(feed.arrays)
    except (EvaluationError, UnsupportedOperatorError):
        b.reached.watch_unseen("what is reached of operators that float64 does not compute")


def _is_all_reached(job: ComparisonJob) -> bool:
    return all(s.reached.is_complete for s in (job.pair.original, job.pair.other))
