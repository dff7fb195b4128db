"""What the original makes of feeds that it takes: the half of an opinion that needs no fold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter

import onnx

from bnfold import model_io
from bnfold.errors import BnfoldError
from bnfold.fold.account.told_opinion import Opinion
from bnfold.fold.opinion.feeds import Feed, FeedMaker
from bnfold.fold.opinion.original_model import Original
from bnfold.fold.opinion.outputs import Outputs
from bnfold.model_io.loading import read_skeleton, skeleton_of
from bnfold.model_io.mapped import Maps
from bnfold.runtime.model_fitting import Sizes, fitting_sizes, with_places
from bnfold.runtime.sessions import OverdueError, RunError, Session
from bnfold.typed.room import require_room_for

MOST_BYTES = 256 << 20  # of weights: beyond that, sessions would take more memory than the fold
MOST_NODES = 20_000  # beyond that, onnxruntime takes longer to open the two than the fold takes
_PATIENCE_S = 5.0  # a run that takes longer is not made again at another size

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
    if original.unheard is not None:
        return Opinion(left_out=original.unheard)
    size = original.weight_bytes
    if size > MOST_BYTES:
        return Opinion(left_out=f"{size >> 20} MiB of weights are more than {MOST_BYTES >> 20}")
    if original.nodes > MOST_NODES:
        return Opinion(left_out=f"{original.nodes:,} nodes are more than {MOST_NODES:,}")
    try:
        source = original.as_opened()
        require_room_for(_skeleton(source), _NAME)
        return _answers(original, source)
    except BnfoldError as error:
        reason = str(error).removeprefix(f"{_NAME}: ")
        return Opinion(left_out=f"{_NAME} does not run there: {reason}")


def _skeleton(source: str | bytes) -> onnx.ModelProto:
    """The model that the runtime would open, without its large tensors."""
    if isinstance(source, bytes):
        return skeleton_of(source, _NAME)
    return read_skeleton(Path(source), Maps())


def session_of(original: Original, source: str | bytes, *, in_order: bool = False) -> Session:
    """The original in onnxruntime, from a file or from bytes.

    Raises:
        BnfoldError: it does not load there.
    """
    setting = replace(original.setting, in_order=in_order)
    return Session(source, setting, name=_NAME, seconds=original.patience_s)


def _answers(original: Original, source: str | bytes) -> Answers:
    """The outputs of the first feeds that the model takes.

    Raises:
        BnfoldError: it takes none.
    """
    session = session_of(original, source)
    if isinstance(original.interface, BnfoldError):
        raise original.interface
    feeds = FeedMaker(*original.interface)
    try:
        return _first(session, feeds.of_usual_sizes())
    except RunError:
        sizes = _fitted(original, feeds) if feeds.extents else []
        if not sizes:
            raise
    return _first(session, feeds.drawn(sizes))


def _first(session: Session, tried: Iterable[Sequence[Feed]]) -> Answers:
    """What the model makes of the first feeds, of several, that it takes.

    Raises:
        OverdueError: a run was given up.
        BnfoldError: it takes none.
    """
    refusal: BnfoldError | None = None
    for feeds in tried:
        try:
            return _heard(session, feeds)
        except OverdueError:
            raise
        except BnfoldError as error:
            refusal = refusal or error
    assert refusal is not None, "there are some feeds"
    raise refusal


def _heard(session: Session, feeds: Sequence[Feed]) -> Answers:
    """The outputs on each feed; on the first alone where that is slow.

    Raises:
        BnfoldError: the model does not take one of them.
    """
    begun = perf_counter()
    outputs: list[Outputs] = [session.run(feeds[0])]
    if perf_counter() - begun > _PATIENCE_S:
        return Answers(feeds[:1], outputs)
    return Answers(feeds, outputs + [session.run(feed) for feed in feeds[1:]])


def _fitted(original: Original, feeds: FeedMaker) -> list[Sizes]:
    """Two sizes that fit the model's constants, the same where it takes no others; or none.

    Raises:
        BnfoldError: a run was given up, or the model cannot be read any more.
    """
    model = with_places(original.loaded())
    session = session_of(original, model_io.to_proto(model).SerializeToString(), in_order=True)
    first, _ = next(feeds.usual_sizes())
    found = list(
        fitting_sizes(
            model, feeds.extents, first, lambda sizes: _first(session, feeds.drawn([sizes]))
        )
    )
    return [*found, *found][:2]
