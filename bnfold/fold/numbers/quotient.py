"""Affines divided: what is left of one where another has been taken from it.

Letters: R(x) = s x + t is the whole, A(x) = a x + b the part. An entry for which there is no
answer, as a = 0 has no inverse, is NaN in both: `has_gaps` tells, and nothing may go on then.
"""

from __future__ import annotations

import numpy as np

from bnfold.fold.numbers.affine import Affine, Array

_RESIDUE = 4 * np.finfo(np.float64).eps


def behind(whole: Affine, part: Affine) -> Affine:
    """Q with Q(A(x)) = R(x): q = s / a, r = t - q b; where a = 0 and s = 0, x + t - b."""
    s, t, a, b = np.broadcast_arrays(whole.scale, whole.shift, part.scale, part.shift)
    zero = a == 0
    scale = np.where(zero, np.where(s == 0, 1.0, np.nan), s / np.where(zero, 1.0, a))
    return _cleaned(scale, t - scale * b, np.abs(t) + np.abs(scale * b))


def before(whole: Affine, part: Affine) -> Affine:
    """Q with A(Q(x)) = R(x): q = s / a, r = (t - b) / a; where a = 0, anything if R is A there."""
    s, t, a, b = np.broadcast_arrays(whole.scale, whole.shift, part.scale, part.shift)
    zero = a == 0
    divisor = np.where(zero, 1.0, a)
    scale = np.where(zero, np.where((s == 0) & (t == b), 1.0, np.nan), s / divisor)
    shift = np.where(zero, scale - 1, (t - b) / divisor)
    return _cleaned(scale, shift, (np.abs(t) + np.abs(b)) / np.abs(divisor))


def has_gaps(affine: Affine) -> bool:
    """Whether some entry has no answer."""
    return bool(np.isnan(affine.scale).any() or np.isnan(affine.shift).any())


def _cleaned(scale: Array, shift: Array, size: Array) -> Affine:
    """What is rounding and no more would stand in the way for nothing."""
    one, none = np.abs(scale - 1) <= _RESIDUE, np.abs(shift) <= _RESIDUE * size
    shift = np.where(none & ~np.isnan(scale), 0.0, np.where(np.isnan(scale), np.nan, shift))
    return Affine(_compact(np.where(one, 1.0, scale)), _compact(shift))


def _compact(array: Array) -> Array:
    """Extent 1 wherever all entries are the same number."""
    if array.size > 1 and (array == array.flat[0]).all():
        return array.reshape(-1)[:1].reshape((1,) * array.ndim)
    return array
