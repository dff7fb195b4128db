"""How far a value after a rewrite is from what it was before."""

from __future__ import annotations

import math

import numpy as np

from bnfold.fold.facts.constants import Constant
from bnfold.fold.proof.written import CertificateError

_TOLERANCE = 1e-10
_ROUNDING = 1e-15

Finding = str | float
"""What is wrong; or the largest difference over the largest value, where nothing is."""


def unlike(name: str, old: Constant, new: Constant, largest: float) -> Finding:
    """What is wrong with a value, or how nearly it is the old one.

    Args:
        name: of the value.
        old: it before.
        new: it after.
        largest: of all numbers that the region computes: where they cancel, this is what rounds.

    Raises:
        CertificateError: it is not finite, and so tells nothing.
    """
    if old is new:
        return 0.0  # it was fed to both
    if old.shape != new.shape:
        return f"'{name}' changes its shape from {old.shape} to {new.shape}"
    if old.dtype.kind != "f":
        return 0.0 if np.array_equal(old, new) else f"'{name}' changes"
    finite = np.isfinite(old)
    if not np.array_equal(old[~finite], new[~finite], equal_nan=True):
        raise CertificateError(f"'{name}' is not finite before, and differs after")
    scale = largest_of(old)
    error = float(np.max(np.abs(new[finite] - old[finite]), initial=0.0))
    # where all of it cancels, what is left is the rounding of what went in
    if error <= max(_TOLERANCE * scale, _ROUNDING * largest):
        return error / max(scale, _ROUNDING / _TOLERANCE * largest) if error else 0.0
    return f"'{name}' is off by {error:.3g} where the largest value is {scale:.3g}"


def largest_of(array: Constant) -> float:
    """The largest absolute value of a floating array; infinite ones are left out."""
    if array.dtype.kind != "f" or not array.size:
        return 0.0
    largest = float(np.max(np.abs(array)))
    if math.isfinite(largest):
        return largest
    return float(np.max(np.abs(array[np.isfinite(array)]), initial=0.0))
