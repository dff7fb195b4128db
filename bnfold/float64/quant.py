"""Quantised values: integers with a scale and a zero point."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx_ir as ir

from bnfold.float64.call import Array, Call, Operator
from bnfold.float64.cast import NARROW, round_narrow
from bnfold.float64.conv import convolve
from bnfold.float64.spatial import read_window


def _spread(parameter: Array, x: Array, axis: int, block: int) -> Array:
    """A scale or zero point, shaped to broadcast against `x`: per tensor, axis or block."""
    if parameter.size == 1 and parameter.ndim < 2:
        return parameter.reshape(())
    if parameter.ndim == 1:
        return parameter.reshape(-1, *[1] * (x.ndim - 1 - axis % x.ndim))
    block = block or -(-x.shape[axis] // parameter.shape[axis])
    return np.take(np.repeat(parameter, block, axis), np.arange(x.shape[axis]), axis)


def dequantize_linear(call: Call) -> Array:
    """DequantizeLinear: (x - zero_point) * scale."""
    x, scale, zero = call[0], call[1], call.optional(2)
    axis, block = call.integer("axis", 1), call.integer("block_size", 0)
    y = x.astype(np.float64)
    if zero is not None:
        y = y - _spread(zero.astype(np.float64), x, axis, block)
    return np.asarray(y * _spread(scale, x, axis, block))


def quantize_linear(call: Call) -> Array:
    """QuantizeLinear: round half to even, then saturate."""
    x, scale, zero = call[0], call[1], call.optional(2)
    dtype = np.dtype(np.uint8) if zero is None else np.dtype(call.stored_dtypes[2])
    if zero is None and call.integer("output_dtype", 0):
        dtype = ir.DataType(call.integer("output_dtype", 0)).numpy()
    axis, block = call.integer("axis", 1), call.integer("block_size", 0)
    y = x / _spread(scale, x, axis, block)
    if dtype in NARROW:
        return round_narrow(y, dtype, call)
    y = np.rint(y)
    if zero is not None:
        y = y + _spread(zero.astype(np.float64), x, axis, block)
    return saturate(y, dtype)


def saturate(y: Array, dtype: np.dtype[np.generic]) -> Array:
    """Whole numbers as an integer dtype, clamped to its range; 4-bit dtypes too."""
    bits = ir.DataType.from_numpy(dtype).bitwidth
    signed = ir.DataType.from_numpy(dtype).is_signed()
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    return np.clip(y, low, high).astype(np.int64).astype(dtype)


def _centred(x: Array, zero: Array | None, axis: int) -> Array:
    y = x.astype(np.float64)
    return y if zero is None else y - _spread(zero.astype(np.float64), x, axis, 0)


def conv_integer(call: Call) -> Array:
    """ConvInteger; sums of products of bytes are exact in float64."""
    x, W = _centred(call[0], call.optional(2), 1), _centred(call[1], call.optional(3), 0)
    window = read_window(call, W.shape[2:], x.shape[2:])
    return convolve(x, W, window, call.integer("group", 1)).astype(np.int32)


def matmul_integer(call: Call) -> Array:
    """MatMulInteger; a zero point of A is per row, one of B per column."""
    A, B, zero_a, zero_b = call[0], call[1], call.optional(2), call.optional(3)
    product = _centred(A, zero_a, -2) @ _centred(B, zero_b, -1)
    return np.asarray(product, np.int32)


def qlinear_conv(call: Call) -> Array:
    """QLinearConv; the bias has the scale of x times that of W."""
    x, W = _centred(call[0], call[2], 1), _centred(call[3], call[5], 0)
    window = read_window(call, W.shape[2:], x.shape[2:])
    y, bias = convolve(x, W, window, call.integer("group", 1)), call.optional(8)
    if bias is not None:
        y = y + bias.reshape(-1, *[1] * (y.ndim - 2))
    scale = _spread(call[1] * call[4], y, 1, 0) / call[6]
    return saturate(np.rint(y * scale) + call[7], call[7].dtype)


def qlinear_matmul(call: Call) -> Array:
    """QLinearMatMul: (A - a0) @ (B - b0) a b / y, rounded half to even, + y0, saturated.

    Source: ONNX operators, QLinearMatMul-21.
    """
    A, B = _centred(call[0], call[2], -2), _centred(call[3], call[5], -1)
    scale = _spread(call[1], A, -2, 0) * _spread(call[4], B, -1, 0) / call[6]
    return saturate(np.rint((A @ B) * scale) + call[7], call[7].dtype)


OPERATORS: Mapping[str, Operator] = {
    "ConvInteger": conv_integer,
    "DequantizeLinear": dequantize_linear,
    "MatMulInteger": matmul_integer,
    "QLinearConv": qlinear_conv,
    "QLinearMatMul": qlinear_matmul,
    "QuantizeLinear": quantize_linear,
}
