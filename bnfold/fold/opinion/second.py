"""The whole model before and after a fold, in onnxruntime with its optimisations off.

It shares nothing with what it judges: sizes, constants and arithmetic are the runtime's. What may
differ is rounding, and how much that comes to is asked of the original itself: of neighbours of it,
whose weights are one unit in the last place away.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np
import onnx_ir as ir
from onnx_ir.passes.common import LiftConstantsToInitializersPass

from bnfold import model_io
from bnfold.errors import BnfoldError
from bnfold.float64 import run_graph
from bnfold.fold.account.told_opinion import Opinion
from bnfold.fold.facts.node import op_of
from bnfold.fold.opinion.feeds import Feed, feeds_of
from bnfold.fold.opinion.original_model import UNITS, Original
from bnfold.model_io.loading import skeleton_of
from bnfold.runtime.engine import Setting, version
from bnfold.runtime.sessions import OverdueError, Session
from bnfold.runtime.signature import Array
from bnfold.typed import TypedConstants
from bnfold.typed.room import require_room_for

MOST_BYTES = 256 << 20  # of weights: beyond that, sessions would take more memory than the fold
_PATIENCE_S = 5.0  # a run that takes longer is not made again at another size
_UNITS = 64  # in the last place, which any two orders of a sum may differ by
_MOST_UNITS = 1 << 13  # that the rounding of folded weights may come to
_NEIGHBOURS = 2
_FACTOR = 20  # a fold rounds other tensors than a neighbour does, and more of them
_MOST_OF_SUMS = 1e-3  # what adding up many numbers, one after the other, may lose in float32
_MOST_CANCELLED = 1 / 32  # what is left of digits that cancel; less of them is no number any more
_SETTING = Setting("cpu", level="none", for_values=True)

Outputs = Sequence[Array]
_NAME = "the original"


@dataclass(frozen=True)
class Answers:
    """What the original makes of feeds that it takes.

    Attributes:
        feeds: two of them; one where a run is slow.
        outputs: of each.
    """

    feeds: Sequence[Feed]
    outputs: Sequence[Outputs]


def answers_of(original: Original) -> Answers | Opinion:
    """The half of a second opinion that needs no fold yet; why it was not asked, where that is so.

    It may be heard beside a fold: it reads nothing that a fold changes.
    """
    size = original.weight_bytes
    if size > MOST_BYTES:
        return Opinion(left_out=f"{size >> 20} MiB of weights are more than {MOST_BYTES >> 20}")
    try:
        data = original.written()
        require_room_for(skeleton_of(data, _NAME), _NAME)
        return _first_that_runs(_session(data, original), original)
    except BnfoldError as error:
        reason = str(error).removeprefix(f"{_NAME}: ")
        return Opinion(left_out=f"{_NAME} does not run there: {reason}")


def second_opinion(original: Original, answers: Answers, folded: ir.Model) -> Opinion:
    """What onnxruntime says of the two; why it says nothing, where it cannot."""
    feeds, olds = answers.feeds, answers.outputs
    seconds = original.patience_s
    try:
        after = Session(_written(folded), _SETTING, name="the folded model", seconds=seconds)
        news = [after.run(feed) for feed in feeds]
    except OverdueError as error:
        return Opinion(left_out=str(error))
    except BnfoldError:
        return _opinion(len(feeds), float("inf"), 0.0)
    apart = max(_difference(old, new) for old, new in zip(olds, news, strict=True))
    explained = _UNITS * original.unit
    if apart > explained and not _is_repeated(original, feeds[0]):
        return Opinion(left_out="the original does not give the same twice")
    if apart > explained:
        explained = max(explained, _FACTOR * _sensitivity(original.loaded(), feeds, olds))
    if apart > explained:  # a channel that a Relu always shuts rounds in the folded model alone
        own = _FACTOR * _sensitivity(folded, feeds, news)
        explained = max(explained, min(own, _MOST_UNITS * original.unit))
    if explained < apart <= _MOST_CANCELLED:
        own, cancelled = _own_error(original.loaded(), feeds, olds)
        most = max(_MOST_OF_SUMS, min(_UNITS * original.unit * cancelled, _MOST_CANCELLED))
        explained = max(explained, min(_FACTOR * own, most))
    if apart > explained:
        decider = original.decider or (original.step() if np.isfinite(apart) else None)
        if decider is not None:
            what = f"decisions ({decider}) that rounding may turn"
            return Opinion(left_out=f"it takes {what}; `bnfold verify` weighs them")
    return _opinion(len(feeds), apart, explained)


def _session(data: bytes, original: Original) -> Session:
    """The original as it was given, in onnxruntime.

    Raises:
        BnfoldError: it does not load there.
    """
    return Session(data, _SETTING, name=_NAME, seconds=original.patience_s)


def _is_repeated(original: Original, feed: Feed) -> bool:
    """Whether one session of the original gives the same twice; failing is no second answer."""
    try:
        session = _session(original.written(), original)
        pairs = _pairs(session.run(feed), session.run(feed))
    except BnfoldError:
        return False
    return all(np.array_equal(a, b, equal_nan=_is_float(a)) for a, b in pairs)


def _opinion(count: int, error: float, explained: float) -> Opinion:
    return Opinion(f"onnxruntime {version()}", count, error, explained)


def _first_that_runs(session: Session, original: Original) -> Answers:
    """The first feeds that the model takes, and its outputs; one of them where it is slow.

    Raises:
        BnfoldError: it takes none.
    """
    if isinstance(original.interface, BnfoldError):
        raise original.interface
    refusal: BnfoldError | None = None
    for first, second in feeds_of(*original.interface):
        try:
            begun = perf_counter()
            outputs: list[Outputs] = [session.run(first)]
            if perf_counter() - begun > _PATIENCE_S:
                return Answers([first], outputs)
            return Answers([first, second], [*outputs, session.run(second)])
        except OverdueError:
            raise
        except BnfoldError as error:
            refusal = refusal or error
    assert refusal is not None, "there is at least one pair of feeds"
    raise refusal


def _difference(old: Outputs, new: Outputs) -> float:
    """The largest difference, over the largest value of its output; infinite for other shapes."""
    return max((_apart(a, b) for a, b in _pairs(old, new)), default=0.0)


def _apart(old: Array, new: Array) -> float:
    if old.shape != new.shape or old.dtype != new.dtype:
        return float("inf")
    if not _is_float(old):
        return 0.0  # a decision: rounding may turn it, and the scores behind it are what counts
    wide, other = old.astype(np.float64), new.astype(np.float64)
    finite = np.isfinite(wide)  # a fold is algebra of numbers: of inf - inf it promises nothing
    if not np.all(np.isfinite(other[finite])):
        return float("inf")
    scale = _scale(old)
    apart = float(np.max(np.abs(wide[finite] - other[finite]), initial=0.0))
    return apart / scale if scale > 0 else apart


def _sensitivity(model: ir.Model, feeds: Sequence[Feed], olds: Sequence[Outputs]) -> float:
    """How far apart the outputs of the model and of its neighbours are."""
    found, model = 0.0, model.clone()  # weights are shared
    LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model)
    for seed in range(_NEIGHBOURS):
        try:
            neighbour = Session(
                _written(model), _SETTING, name="a neighbour", weights=_moved(model, seed).items()
            )
            for feed, old in zip(feeds, olds, strict=True):
                found = max(found, _difference(old, neighbour.run(feed)))
        except BnfoldError:
            return float("inf")  # it cannot be told what rounding comes to: nobody is accused
    return found


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
        if _is_float(array):
            largest = max(largest, _scale(array))

    for feed, old in zip(feeds, olds, strict=True):
        try:
            exact = run_graph(model, feed, constants=constants, observe=observe)
        except BnfoldError:
            return 0.0, 0.0
        wide = [a.astype(np.float64) if _is_float(a) else a for a in map(np.asarray, old)]
        found = max(found, _difference(wide, list(exact.values())))
    scales = [_scale(array) for old in olds for array in map(np.asarray, old) if _is_float(array)]
    least = min((scale for scale in scales if scale > 0), default=1.0)
    return found, largest / least


def _scale(array: Array) -> float:
    """The largest finite value."""
    wide = np.abs(array.astype(np.float64))
    return float(np.max(wide, initial=0.0, where=np.isfinite(wide)))


def _moved(model: ir.Model, seed: int) -> Mapping[str, Array]:
    """The weights of the main graph, each entry one unit up, one down, or as it is."""
    rng = np.random.default_rng(seed)
    moved = {}
    for name, value in model.graph.initializers.items():
        if value.const_value is None or value.dtype not in UNITS:
            continue
        if value.dtype == ir.DataType.BFLOAT16 or value.is_graph_input() or _is_size(value):
            continue
        stored = value.const_value.numpy()
        drawn = rng.integers(-1, 2, stored.shape)
        up, down = (np.nextafter(stored, stored.dtype.type(end)) for end in (np.inf, -np.inf))
        moved[name] = np.where(drawn > 0, up, np.where(drawn < 0, down, stored))
    return moved


def _is_size(value: ir.Value) -> bool:
    """Whether an extent is a multiple of it: 2 is moved to 1.9999999, and another extent."""
    return any(op_of(use.node) in ("Resize", "Upsample") and use.idx > 0 for use in value.uses())


def _written(model: ir.Model) -> bytes:
    return bytes(model_io.to_proto(model).SerializeToString())


def _pairs(old: Outputs, new: Outputs) -> list[tuple[Array, Array]]:
    return [(np.asarray(a), np.asarray(b)) for a, b in zip(old, new, strict=True)]


def _is_float(array: Array) -> bool:
    return array.dtype.kind == "f" or array.dtype.name == "bfloat16"
