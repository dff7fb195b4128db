"""When an inverse may be asked of somebody: what rounding would make of it.

Letters: v' = s v + t is carried in place of v, and another reader undoes it, v = v' / s - t / s.
A scale rounds like what it scales, so that it is bounded only by what a type can hold. A shift does
not: v' rounds at the size of v + h, h = t / s, and what the other reader sees of v is off by as
much. Where a batch norm that reads v tells its mean m and variance, r = sqrt(m^2 + variance) is the
size of v; |h| stays below a small multiple of r.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import is_op
from bnfold.fold.numbers.affine import Affine, Array
from bnfold.fold.plan import Refusal

LARGEST_SCALE = 2.0**40
"""And its inverse the smallest: no weight leaves the range of float32 by it."""

LARGEST_SHIFT = 4.0
"""Of the size of the values, over the channels in the root mean square."""

LARGEST_SHIFT_OF_ONE = 32.0
"""Of one channel's size."""

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


def ill_conditioned(value: ir.Value, undone: Affine, facts: Facts) -> Refusal | None:
    """Why nobody may be asked for this inverse on the value; None where rounding allows it."""
    if facts.dtype(value) == ir.DataType.FLOAT16:
        return _FLOAT16
    size = np.abs(undone.scale)
    if not np.all((size <= LARGEST_SCALE) & (size >= 1 / LARGEST_SCALE)):
        return _SCALE
    if not undone.has_shift:
        return None
    known = _size_of(value, undone.rank, facts)
    if known is None:
        return _UNKNOWN
    relative = np.abs(undone.shift) / known  # v = v' / s - h
    too_large = np.max(relative) > LARGEST_SHIFT_OF_ONE
    mean_square = float(np.mean(np.square(relative)))
    return _SHIFT if too_large or mean_square > LARGEST_SHIFT**2 else None


def _size_of(value: ir.Value, rank: int, facts: Facts) -> Array | None:
    """sqrt(m^2 + variance) by channel, as a batch norm that reads the value has seen it."""
    for reader, index in facts.readers(value):
        if index != 0 or not is_op(reader, "BatchNormalization") or len(reader.inputs) < 5:
            continue
        mean, variance = (facts.constant(reader.inputs[i]) for i in (3, 4))
        if mean is not None and variance is not None and mean.ndim == variance.ndim == 1:
            square = np.square(mean.reshape(-1)) + np.maximum(variance.reshape(-1), 0)
            shape = (1, -1, *(1,) * (rank - 2))
            size = np.sqrt(np.maximum(square, np.finfo(np.float64).tiny))
            return np.asarray(size).reshape(shape)
    return None
