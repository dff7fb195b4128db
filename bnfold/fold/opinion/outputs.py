"""The outputs of two runs: how far apart they are, over the largest value of each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from bnfold.runtime.signature import Array, is_float_dtype

Outputs = Sequence[Array]
Mask = npt.NDArray[np.bool_]


def difference(old: Outputs, new: Outputs) -> float:
    """The largest difference, over the largest value of its output.

    It is infinite for other shapes, for numbers that are none any more, and for infinities of the
    other sign. Of what else became of an infinity, `turned` tells.
    """
    return max((_apart(a, b) for a, b in pairs_of(old, new)), default=0.0)


def apart_in_numbers(old: Outputs, new: Outputs) -> float:
    """The largest difference where both have numbers; infinite for other shapes."""
    return max((_apart_in_numbers(a, b) for a, b in pairs_of(old, new)), default=0.0)


def turned(old: Array, new: Array) -> Mask:
    """Where a number or an infinity became something else; of NaN a fold promises nothing.

    As inf - inf, it becomes a number where branches become one. Of another shape, all of it is.
    """
    if old.shape != new.shape:
        return np.ones(old.shape, dtype=np.bool_)
    if not is_float(old):
        return np.zeros(old.shape, dtype=np.bool_)
    wide, other = old.astype(np.float64), new.astype(np.float64)
    lost = np.isfinite(wide) & ~np.isfinite(other)
    return np.asarray(lost | (np.isinf(wide) & (other != wide)))


def _apart(old: Array, new: Array) -> float:
    if old.shape == new.shape and old.dtype == new.dtype and is_float(old):
        wide, other = old.astype(np.float64), new.astype(np.float64)
        opposite = np.isinf(wide) & (other == -wide)  # 1 / -0 for 1 / 0
        if np.any(turned(old, new) & (np.isfinite(wide) | opposite)):
            return float("inf")
    return _apart_in_numbers(old, new)


def _apart_in_numbers(old: Array, new: Array) -> float:
    if old.shape != new.shape or old.dtype != new.dtype:
        return float("inf")
    if not is_float(old):
        return 0.0  # a decision: rounding may turn it, and the scores behind it are what counts
    wide, other = old.astype(np.float64), new.astype(np.float64)
    both = np.isfinite(wide) & np.isfinite(other)
    scale = scale_of(old)
    apart = float(np.max(np.abs(wide[both] - other[both]), initial=0.0))
    return apart / scale if scale > 0 else apart


def scale_of(array: Array) -> float:
    """The largest finite value."""
    wide = np.abs(array.astype(np.float64))
    return float(np.max(wide, initial=0.0, where=np.isfinite(wide)))


def pairs_of(old: Outputs, new: Outputs) -> list[tuple[Array, Array]]:
    """Both runs' outputs, one beside the other."""
    return [(np.asarray(a), np.asarray(b)) for a, b in zip(old, new, strict=True)]


def is_float(array: Array) -> bool:
    """Whether it holds numbers that are rounded."""
    return is_float_dtype(array.dtype)


def is_told(array: Array) -> bool:
    """Whether there is something to compare with: all but NaN, of which a fold promises nothing."""
    return not is_float(array) or not array.size or not np.isnan(array.astype(np.float64)).all()
