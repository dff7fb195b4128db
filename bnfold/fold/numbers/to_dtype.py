"""Float64 rounded once to another dtype, and what numbers of that dtype can be."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from bnfold.fold.numbers.affine import Array


def limits(dtype: ir.DataType) -> ml_dtypes.finfo:
    """The smallest and largest numbers of a floating-point dtype."""
    return ml_dtypes.finfo(dtype.numpy())  # type: ignore[no-untyped-call]


def rounded_to(values: Array, dtype: ir.DataType) -> npt.NDArray[np.generic]:
    """The values rounded to the nearest of the dtype, once; beyond its range, infinite."""
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        if dtype == ir.DataType.BFLOAT16:
            return _to_odd_float32(values).astype(dtype.numpy())
        if not dtype.is_floating_point():
            values = np.rint(values)
        return values.astype(dtype.numpy())


def _to_odd_float32(values: Array) -> npt.NDArray[np.float32]:
    """Float32 rounded to odd, so that rounding again to bfloat16 equals rounding once."""
    nearest = values.astype(np.float32)
    beyond = np.abs(nearest.astype(np.float64)) > np.abs(values)
    truncated = np.where(beyond, np.nextafter(nearest, np.float32(0)), nearest)
    inexact = (truncated.astype(np.float64) != values) & np.isfinite(values)
    odd = truncated.view(np.uint32) | inexact.astype(np.uint32)
    return np.asarray(odd.view(np.float32))
