"""When an inverse may be asked of somebody: what rounding would make of it.

Letters: v' = s v + t is carried in place of v, and another reader undoes it, v = v' / s - t / s.
A scale rounds like what it scales, so that it is bounded only by what a type can hold. A shift does
not: v' rounds at the size of v + h, h = t / s, and what the other reader sees of v is off by as
much. Where a batch norm that reads v tells its mean m and variance, r = sqrt(m^2 + variance) is the
size of v; |h| stays below a small multiple of r. What a trunk of joined channels carries is read
by batch norms behind the joins.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from bnfold.fold.facts.node import is_op
from bnfold.fold.numbers.affine import Affine, Array
from bnfold.fold.plan import Leave, Refusal
from bnfold.fold.question.asking import Asking, Offer

LARGEST_SCALE = 2.0**40
"""And its inverse the smallest: no weight leaves the range of float32 by it."""

LARGEST_SHIFT = 4.0
"""Of the size of the values, over the channels in the root mean square."""

LARGEST_SHIFT_OF_ONE = 32.0
"""Of one channel's size."""

_REARRANGING = ("Identity", "Transpose", "Slice", "Gather", "Split", "Concat")
_FURTHER = 4  # of them in a row are looked behind
_BESIDE = 2  # of those that read one value

_FLOAT16 = Refusal(
    "float16-range",
    "in float16 the inverse of a scale or a shift costs bits that are not there",
    advice="fold the model in float32, then convert it",
)
_SCALE = Refusal(
    "ill-conditioned", "another reader would have to undo a scale that is 0 or next to it"
)
_SHIFT = Refusal(
    "ill-conditioned",
    "another reader would have to undo a shift that is large beside the values, which rounds them",
)
_UNKNOWN = Refusal(
    "ill-conditioned",
    "another reader would have to undo a shift, and how large the values are is not known",
)


def ill_conditioned(value: ir.Value, undone: Affine, asking: Asking) -> Refusal | None:
    """Why nobody may be asked for this inverse on the value; None where rounding allows it."""
    if asking.facts.dtype(value) == ir.DataType.FLOAT16:
        return _FLOAT16
    size = np.abs(undone.scale)
    if not np.all((size <= LARGEST_SCALE) & (size >= 1 / LARGEST_SCALE)):
        return _SCALE
    if not undone.has_shift:
        return None
    shift, known = np.broadcast_arrays(undone.shift, _size_of(value, undone.rank, asking))
    if np.any((shift != 0) & (known == 0)):
        return _UNKNOWN
    relative = np.abs(shift) / np.where(known == 0, 1.0, known)  # v = v' / s - h
    too_large = np.max(relative) > LARGEST_SHIFT_OF_ONE
    mean_square = float(np.mean(np.square(relative)))
    return _SHIFT if too_large or mean_square > LARGEST_SHIFT**2 else None


def _size_of(value: ir.Value, rank: int, asking: Asking, further: int = _FURTHER) -> Array:
    """sqrt(m^2 + variance) by channel, as batch norms have seen it; 0 where none has.

    What only rearranges numbers tells sizes as it tells shifts: of what it reads by what it makes.
    """
    readers = asking.facts.readers(value)
    for reader, index in readers:
        known = _seen_by(reader, rank, asking) if index == 0 else None
        if known is not None:
            return known
    size = np.zeros((1,) * rank)
    movers = [edge for edge in readers if is_op(edge[0], *_REARRANGING)]
    for mover, index in movers[:_BESIDE] if further else ():
        behind = _size_behind(mover, index, asking, further - 1)
        size = np.where(size == 0, behind, size)
    return size


def _seen_by(reader: ir.Node, rank: int, asking: Asking) -> Array | None:
    """What the reader tells of its input, where it is a batch norm."""
    if not is_op(reader, "BatchNormalization") or len(reader.inputs) < 5:
        return None
    mean, variance = (asking.facts.constant(reader.inputs[i]) for i in (3, 4))
    if mean is None or variance is None or not mean.ndim == variance.ndim == 1:
        return None
    square = np.square(mean) + np.maximum(variance, 0)
    size = np.sqrt(np.maximum(square, np.finfo(np.float64).tiny))
    return np.asarray(size).reshape(1, -1, *(1,) * (rank - 2))


def _size_behind(mover: ir.Node, index: int, asking: Asking, further: int) -> Array | float:
    """What is known of one of its inputs by what is known of its outputs; 0 where nothing is."""
    known = {}
    for place, output in enumerate(mover.outputs):
        rank = asking.facts.rank(output)  # a Gather by several indices makes other axes
        size = np.zeros(()) if rank is None else _size_of(output, rank, asking, further)
        if np.any(size != 0):
            known[place] = Affine(np.ones_like(size), size)
    for offer in asking.ask(mover, known, backward=True) if known else ():
        if isinstance(offer, Offer) and isinstance(offer.move, Leave) and not offer.move.wants:
            told = offer.move.passes.get(index)
            return 0.0 if told is None else np.nan_to_num(told.shift)
    return 0.0
