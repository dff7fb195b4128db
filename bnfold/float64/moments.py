"""Mean and variance over axes: NaN of nothing, which ONNX leaves open, and no word of warning."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from bnfold.float64.call import Array


def mean(x: Array, axes: Sequence[int], *, keepdims: bool = True) -> Array:
    """The mean of x over the axes, which stay as 1 where they are kept."""
    count = math.prod(x.shape[axis] for axis in axes)
    with np.errstate(invalid="ignore"):
        return np.asarray(x.sum(axis=tuple(axes), keepdims=keepdims) / np.float64(count))


def variance(x: Array, axes: Sequence[int], *, keepdims: bool = True) -> Array:
    """The mean square of the distances from the mean."""
    apart = x - mean(x, axes)
    return mean(apart * apart, axes, keepdims=keepdims)
