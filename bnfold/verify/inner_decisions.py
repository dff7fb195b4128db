"""Decisions inside: where rounding turns one, two correct models go on with other numbers.

A mask h > 0, an ArgMax that picks a row of a table, a Floor: where h lies within rounding of the
other side, a correct fold decides otherwise in one place of many thousands, and what is made of it
is off by far more than rounding. So both models are compared once more, each decision given to what
reads it, in both models, as the original makes it:

    h    what is decided on     up to rounding, as an output is
    q    what comes of it       as integers are: open where copies of the original turn it
    y    what is made of it     up to rounding, for one q

Where all three hold, the models are one function, up to what rounding decides. Where y does not,
they are none, however large an error turned decisions make of a rounding. Nothing is gained so by a
model that decides otherwise: q differs where no copy turns it. What lies on a grid is decided alike
in every run, see `grids`, and is left as it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bnfold.runtime.sessions import RunError
from bnfold.runtime.signature import Array, numpy_dtype
from bnfold.verify.comparing import ComparisonJob, FirstRuns
from bnfold.verify.feeds import Feed
from bnfold.verify.given_decisions import (
    OPERAND,
    InnerDecision,
    decisions_of,
    given_decisions,
    show_decisions,
)
from bnfold.verify.jumps import spell_out
from bnfold.verify.measure import ulp_of
from bnfold.verify.records import OutputRow, Verification
from bnfold.verify.selections import cut_of, show_entering
from bnfold.verify.subject import OnnxSubject, Subject

_COARSE = 16.0
"""Times the ulp of its type: a larger error may be that of decisions that rounding turns."""

_ALIKE = 0.1
"""Parts of the scale: what differs by more is decided on other numbers."""


def with_decisions(job: ComparisonJob, found: Verification, first: FirstRuns) -> Verification:
    """What was found, but for decisions inside that rounding turns.

    Where it turns them in copies of the original, its error is large, and much may hide behind it:
    models that part for the same decisions are different.
    """
    a, b = job.pair.plain or (job.pair.original, job.pair.other)
    is_hidden = found.is_equivalent and any(map(_is_coarse, found.outputs))
    if not found.outputs or not (found.verdict == "different" or is_hidden):
        return found
    sides = _of_graphs(job, a, b, first) if isinstance(a, OnnxSubject) else _of_module(job, first)
    if sides is None:
        return found
    turned = [_turned(*each) for each in zip(sides.made, sides.its, strict=True)]
    if not any(turned) and not is_hidden:
        return found
    cut = None
    if job.pair.cut is not None and isinstance(sides.original, OnnxSubject):
        cut = cut_of(sides.original, sides.other)
        if cut is None:
            return found
        show_entering(cut, sides.original)
    pair = replace(job.pair, original=sides.original, other=sides.other, plain=None, cut=cut)
    there = replace(job, pair=pair)
    feeds = [_fed(*each) for each in zip(first.feeds, sides.made, strict=True)]
    try:
        runner = pair.original.open(job.setting)
        runs = [runner.run(feed.arrays) for feed in feeds]
        again = there.compare(FirstRuns(feeds, runs), is_located=False)
    except RunError:
        return found  # what a module decides may be how often it decides
    if is_hidden:
        return _uncovered(found, again)
    if not again.is_equivalent:
        return found
    reason = f"{again.reason}; {sum(turned)} decisions inside turn, no more than rounding turns"
    return replace(again, reason=reason, feeds=found.feeds, notes=found.notes)


def _is_coarse(row: OutputRow) -> bool:
    """Whether the original's own error is more than a few roundings."""
    if row.is_exact or not row.is_judged:
        return False
    return row.error_original > _COARSE * ulp_of(numpy_dtype(row.dtype))


def _uncovered(found: Verification, again: Verification) -> Verification:
    """What was found, unless the models part for the same decisions on the same numbers."""
    names = {row.name for row in found.outputs}
    operands = [row for row in again.outputs if row.name.startswith(OPERAND)]
    if again.verdict != "different" or any(row.error_other > _ALIKE for row in operands):
        return found
    if again.outputs and all(r.is_within for r in again.outputs if r.name in names):
        return found
    reason = f"with the decisions inside as the original makes them, {again.reason}"
    return replace(again, reason=reason, feeds=found.feeds, notes=found.notes)


@dataclass(frozen=True)
class _Sides:
    """Both models, given what is decided, and what each decides itself on each feed."""

    original: Subject
    other: OnnxSubject
    made: list[list[Array]]
    its: list[list[Array]]


def _of_graphs(
    job: ComparisonJob, a: OnnxSubject, b: OnnxSubject, first: FirstRuns
) -> _Sides | None:
    """None where the two do not decide alike."""
    a, b = a.edited(spell_out), b.edited(spell_out)
    ours, theirs = decisions_of(a.model), decisions_of(b.model)
    if not ours or Counter(d.kind for d in ours) != Counter(d.kind for d in theirs):
        return None
    made, its = (_made(job, *each, first.feeds) for each in ((a, ours), (b, theirs)))
    places = _places(ours, theirs, made, its)
    theirs, its = [theirs[i] for i in places], [[run[i] for i in places] for run in its]
    return _Sides(given_decisions(a, ours, ours), given_decisions(b, theirs, ours), made, its)


def _places(
    ours: Sequence[InnerDecision],
    theirs: Sequence[InnerDecision],
    made: Sequence[Sequence[Array]],
    its: Sequence[Sequence[Array]],
) -> list[int]:
    """For each of our decisions that of theirs, of its kind, of which the fewest are others."""
    left, places = list(range(len(theirs))), []
    for index, each in enumerate(ours):
        own = [[run[index]] for run in made]
        apart = {
            i: sum(_turned(x, [run[i]]) for x, run in zip(own, its, strict=True))
            for i in left
            if theirs[i].kind == each.kind
        }
        places.append(min(apart, key=lambda i: apart[i]))
        left.remove(places[-1])
    return places


def _of_module(job: ComparisonJob, first: FirstRuns) -> _Sides | None:
    """The same of a torch module; None too where code of it cannot be watched."""
    from bnfold.verify.torch_decisions import turns_of
    from bnfold.verify.torch_subject import TorchSubject, to_array

    a, b = job.pair.original, job.pair.other.edited(spell_out)
    assert isinstance(a, TorchSubject), "there are two kinds of subjects"
    theirs = decisions_of(b.model)
    if not theirs:
        return None
    its = _made(job, b, theirs, first.feeds)
    try:
        calls = [a.decided(feed.arrays) for feed in first.feeds]
    except RunError:
        return None
    found = []
    for made, run in zip(calls, its, strict=True):
        wanted = [(d.operator, q.shape, d.operands) for d, q in zip(theirs, run, strict=True)]
        found.append(turns_of(made, wanted))
    turns = found[0]
    if turns is None or any(each != turns for each in found):
        return None
    given = given_decisions(b, theirs, theirs)
    told = given.outputs[len(b.outputs) :]
    decided = [[to_array(made[each.turn][1]) for each in turns] for made in calls]
    return _Sides(a.given(turns, told), given, decided, its)


def _made(
    job: ComparisonJob,
    subject: OnnxSubject,
    decisions: Sequence[InnerDecision],
    feeds: Sequence[Feed],
) -> list[list[Array]]:
    """What the model decides on each feed."""
    exposed = subject.edited(lambda model: show_decisions(model, decisions))
    runner = exposed.open(job.setting)
    return [runner.run(feed.arrays)[-len(decisions) :] for feed in feeds]


def _fed(feed: Feed, made: Sequence[Array]) -> Feed:
    given = {f"fed {index}": array for index, array in enumerate(made)}
    return replace(feed, arrays={**feed.arrays, **given})


def _turned(ours: Sequence[Array], theirs: Sequence[Array]) -> int:
    """How many decisions of one set are others."""
    pairs = zip(ours, theirs, strict=True)
    return sum(int((x != y).sum()) if x.shape == y.shape else x.size for x, y in pairs)
