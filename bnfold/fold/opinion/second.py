"""The whole model before and after a fold, in onnxruntime with its optimisations off.

It shares nothing with what it judges: sizes, constants and arithmetic are the runtime's. What may
differ is rounding, and how much that comes to is asked of the original itself: of neighbours of it,
whose weights are one unit in the last place away.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

import numpy as np
import onnx_ir as ir

from bnfold.errors import BnfoldError, InconclusiveError
from bnfold.float64 import run_graph
from bnfold.fold.account.told_opinion import Opinion
from bnfold.fold.opinion.answers import Answers, session_of
from bnfold.fold.opinion.exactly import mean_the_same, rounding_of_run
from bnfold.fold.opinion.feeds import Feed
from bnfold.fold.opinion.infinities import are_rounding
from bnfold.fold.opinion.namesakes import require_no_namesake
from bnfold.fold.opinion.neighbours import NEIGHBOURS, lifted, moved
from bnfold.fold.opinion.original_model import Original
from bnfold.fold.opinion.outputs import (
    Outputs,
    apart_in_numbers,
    difference,
    is_float,
    is_told,
    pairs_of,
    scale_of,
    turned,
)
from bnfold.fold.opinion.runnable import runnable
from bnfold.runtime.engine import Setting, version
from bnfold.runtime.sessions import Session
from bnfold.runtime.signature import Array
from bnfold.typed import TypedConstants

_UNITS = 64  # in the last place, which any two orders of a sum may differ by
_MOST_UNITS = 1 << 13  # that the rounding of folded weights may come to, whatever float64 says
_LITTLE = 4  # times what a neighbour's rounding comes to: as much as most folds differ by
_SMALL = 1 << 10  # units: so much may be rounding without a word from float64
_FACTOR = 20  # a fold rounds other tensors than a neighbour does, and more of them
_MOST_OF_SUMS = 1e-3  # what adding up many numbers, one after the other, may lose in float32
_MOST_CANCELLED = 1 / 32  # of its numbers may a fold lose where values cancel
_UNITS_OF_CASTS = 16  # of half precision in between, where neighbours round just as they are
_NO_NUMBERS = "the original gives only NaN on the inputs that were made up"
_OVERFLOWS = "rounding decides which of the original's outputs are infinite"
_LOST = (
    "the folded model differs from the original in onnxruntime by {:.1e} of the largest value, all "
    "of which may be rounding, as it computes with numbers that are so large beside its outputs: "
    "nothing is handed out; allow less (--allow), or fold it in double precision"
)


def second_opinion(original: Original, answers: Answers, folded: ir.Model) -> Opinion:
    """What onnxruntime says of the two; why it says nothing, where it cannot.

    Raises:
        ModelError: onnxruntime has an operator with the name of one of its functions.
        InconclusiveError: rounding may explain what differs, and leaves too little of what the
            folded model computes.
    """
    feeds, olds = answers.feeds, answers.outputs
    if not any(is_told(output) for outputs in olds for output in outputs):
        return Opinion(left_out=_NO_NUMBERS)
    setting, seconds = original.setting, original.patience_s
    try:
        with runnable(folded) as source:
            after = Session(source, setting, name="the folded model", seconds=seconds)
        news = [after.run(feed) for feed in feeds]
    except InconclusiveError as error:  # it takes too long, or there is no room for it
        return Opinion(left_out=str(error))
    except BnfoldError:
        return _opinion(len(feeds), float("inf"), 0.0)
    apart = max(difference(old, new) for old, new in zip(olds, news, strict=True))
    least = _UNITS * original.unit
    explained, lost = least, 0.0
    turns = _turns(olds, news)
    if (turns or apart > explained) and not _is_repeated(original, feeds[0]):
        return Opinion(left_out="the original does not give the same twice")
    if turns or apart > explained:
        require_no_namesake(original, answers, folded, least)
    if turns and not _turns_by_rounding(original, answers, folded, news):
        apart = float("inf")
    elif turns and apart == np.inf:
        return Opinion(left_out=_OVERFLOWS)
    elif apart > explained:
        explained, lost = _rounding(original, answers, folded, news, apart)
    if apart > explained:
        decider = original.decider or (original.step() if np.isfinite(apart) else None)
        if decider is not None:
            what = f"decisions ({decider}) that rounding may turn"
            return Opinion(left_out=f"it takes {what}; `bnfold verify` weighs them")
    if apart > max(least, _MOST_CANCELLED):
        if apart <= explained:
            much = f"all that differs, {apart:.1g} of the largest value"
            return Opinion(left_out=f"rounding may move the original's outputs by {much}")
        if apart <= lost:
            raise InconclusiveError(_LOST.format(apart))
    return _opinion(len(feeds), apart, explained)


def _turns(olds: Sequence[Outputs], news: Sequence[Outputs]) -> bool:
    """Whether a number became an infinity or NaN, or an infinity became something else."""
    pairs = [pair for old, new in zip(olds, news, strict=True) for pair in pairs_of(old, new)]
    return any(a.shape == b.shape and bool(turned(a, b).any()) for a, b in pairs)


def _turns_by_rounding(
    original: Original, answers: Answers, folded: ir.Model, news: Sequence[Outputs]
) -> bool:
    """Whether rounding may be all of that; it is where what rounding comes to cannot be told."""
    feeds, olds, model = answers.feeds, answers.outputs, original.loaded()
    try:
        neighbours = list(_neighbours(model, feeds, original.setting))
    except BnfoldError:
        return True
    return are_rounding(model, folded, feeds, olds, news, neighbours)


def _rounding(
    original: Original, answers: Answers, folded: ir.Model, news: Sequence[Outputs], apart: float
) -> tuple[float, float]:
    """What of so large a difference may be rounding, and what the folded model may lose by it."""
    feeds, olds, model = answers.feeds, answers.outputs, original.loaded()
    least = _UNITS * original.unit
    near = _sensitivity(model, feeds, olds, original.setting)
    if apart <= min(_LITTLE * near, _SMALL * original.unit):
        return max(least, _LITTLE * near), 0.0
    with suppress(BnfoldError):  # where the reference does not run, rounding alone is weighed
        if np.isfinite(apart) and not mean_the_same(model, folded, feeds, least):
            return least, 0.0
    explained, lost = max(least, _FACTOR * near), 0.0
    if explained < apart < np.inf:
        own, cancelled = _own_error(model, feeds, olds)
        cast = _UNITS_OF_CASTS * original.cast_unit
        most = max(_MOST_OF_SUMS, least * cancelled, cast)
        explained = max(explained, min(_FACTOR * own, most) if own else cast)
    if explained < apart < np.inf:
        lost = _rounding_of_folded(original, folded, feeds, news, apart)
        explained = max(explained, min(lost, max(least, _MOST_CANCELLED)))
    return explained, lost


def _rounding_of_folded(
    original: Original,
    folded: ir.Model,
    feeds: Sequence[Feed],
    news: Sequence[Outputs],
    apart: float,
) -> float:
    """What it comes to there alone: a channel that a Relu always shuts rounds nowhere else."""
    own = _FACTOR * _sensitivity(folded, feeds, news, original.setting)
    few = min(own, _MOST_UNITS * original.unit)
    if few < apart <= own:
        with suppress(BnfoldError):
            return max(few, min(own, rounding_of_run(folded, feeds)))
    return few


def _is_repeated(original: Original, feed: Feed) -> bool:
    """Whether one session of the original gives the same twice; failing is no second answer."""
    try:
        session = session_of(original, original.as_opened())
        pairs = pairs_of(session.run(feed), session.run(feed))
    except BnfoldError:
        return False
    return all(np.array_equal(a, b, equal_nan=is_float(a)) for a, b in pairs)


def _opinion(count: int, error: float, explained: float) -> Opinion:
    return Opinion(f"onnxruntime {version()}", count, error, explained)


def _sensitivity(
    model: ir.Model, feeds: Sequence[Feed], olds: Sequence[Outputs], setting: Setting
) -> float:
    """How far apart the outputs of the model and of its neighbours are."""
    try:
        return max(
            difference(old, new)
            for outputs in _neighbours(model, feeds, setting)
            for old, new in zip(olds, outputs, strict=True)
        )
    except BnfoldError:
        return float("inf")  # it cannot be told what rounding comes to: nobody is accused


def _neighbours(
    model: ir.Model, feeds: Sequence[Feed], setting: Setting
) -> Iterator[list[Outputs]]:
    """What the runtime makes of the feeds with each neighbour of the model.

    Raises:
        BnfoldError: one does not run.
    """
    model = lifted(model)
    # an initializer among the inputs is a default, which is fed; before IR version 4 it is none
    listed = {v.name for v in model.graph.inputs} if (model.ir_version or 0) >= 4 else set()
    for seed in range(NEIGHBOURS):
        weights = moved(model, seed)
        fed = {name: weights.pop(name) for name in listed & weights.keys() if name is not None}
        with runnable(model) as source:
            neighbour = Session(source, setting, name="a neighbour", weights=weights.items())
        yield [neighbour.run({**fed, **feed}) for feed in feeds]


def _own_error(
    model: ir.Model, feeds: Sequence[Feed], olds: Sequence[Outputs]
) -> tuple[float, float]:
    """How far the original is from what it means, and how large its values inside are.

    Both relative to its smallest output; 0 where that is not known. A mean over ten thousand
    numbers loses more than its neighbours tell, who lose the same; and so does 1e5 + x - 1e5.
    """
    constants = TypedConstants(model).get
    found, largest = 0.0, 0.0

    def observe(name: str, array: Array) -> None:
        del name
        nonlocal largest
        if is_float(array):
            largest = max(largest, scale_of(array))

    for feed, old in zip(feeds, olds, strict=True):
        try:
            exact = run_graph(model, feed, constants=constants, observe=observe)
        except BnfoldError:
            return 0.0, 0.0
        wide = [a.astype(np.float64) if is_float(a) else a for a in map(np.asarray, old)]
        found = max(found, apart_in_numbers(wide, list(exact.values())))
    scales = [scale_of(array) for old in olds for array in map(np.asarray, old) if is_float(array)]
    least = min((scale for scale in scales if scale > 0), default=1.0)
    return found, largest / least
