"""The outputs of two runs: how far apart they are, over the largest value of each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bnfold.runtime.signature import Array, is_float_dtype

Outputs = Sequence[Array]


def difference(old: Outputs, new: Outputs) -> float:
    """The largest difference, over the largest value of its output; infinite for other shapes."""
    return max((_apart(a, b) for a, b in pairs_of(old, new)), default=0.0)


def _apart(old: Array, new: Array) -> float:
    if old.shape != new.shape or old.dtype != new.dtype:
        return float("inf")
    if not is_float(old):
        return 0.0  # a decision: rounding may turn it, and the scores behind it are what counts
    wide, other = old.astype(np.float64), new.astype(np.float64)
    finite = np.isfinite(wide)  # a fold is algebra of numbers: of inf - inf it promises nothing
    turned = np.isinf(wide) & (other == -wide)  # 1 / -0 for 1 / 0, which is no rounding either
    if not np.all(np.isfinite(other[finite])) or np.any(turned):
        return float("inf")
    scale = scale_of(old)
    apart = float(np.max(np.abs(wide[finite] - other[finite]), initial=0.0))
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
