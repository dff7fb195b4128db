"""Operators that onnxruntime contributes, com.microsoft: fused ones, by what they are made of.

Source: onnxruntime, docs/ContribOperators.md.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bnfold.float64.call import Array, Call, Operator
from bnfold.float64.conv import conv
from bnfold.float64.linear import gemm_broadcast

_LEAKY = 0.01


def fused_conv(call: Call) -> Array:
    """FusedConv: activation(conv(x, W) + b + z)."""
    y, z = conv(call), call.optional(3)
    y = y if z is None else y + z
    return _activated(call, y, "activation_params")


def fused_gemm(call: Call) -> Array:
    """FusedGemm: activation(gemm(A, B, C))."""
    return _activated(call, gemm_broadcast(call), "activation_alpha")


def fused_matmul(call: Call) -> Array:
    """FusedMatMul: alpha * A @ B, the last two axes of either exchanged or not.

    Raises:
        UnsupportedOperatorError: axes of the batch are exchanged too.
    """
    if call.integer("transBatchA", 0) or call.integer("transBatchB", 0):
        raise call.unsupported("axes of the batch exchanged with those of a matrix")
    a, b = call[0], call[1]
    a = np.swapaxes(a, -1, -2) if call.integer("transA", 0) and a.ndim > 1 else a
    b = np.swapaxes(b, -1, -2) if call.integer("transB", 0) and b.ndim > 1 else b
    return np.asarray(call.real("alpha", 1.0) * (a @ b))


def _activated(call: Call, y: Array, parameters: str) -> Array:
    name, given = call.text("activation", ""), call.attributes.get(parameters, ())
    listed = [given] if isinstance(given, float | int) else given
    slope = float(listed[0]) if isinstance(listed, list | tuple) and len(listed) else _LEAKY
    if name == "":
        return y
    if name == "Relu":
        return np.asarray(np.maximum(y, 0))
    if name == "LeakyRelu":
        return np.asarray(np.where(y < 0, y * slope, y))
    if name == "Sigmoid":
        return np.asarray(1 / (1 + np.exp(-y)))
    if name == "Tanh":
        return np.asarray(np.tanh(y))
    raise call.unsupported(f"the activation {name!r} is not known")


OPERATORS: Mapping[str, Operator] = {
    "FusedConv": fused_conv,
    "FusedGemm": fused_gemm,
    "FusedMatMul": fused_matmul,
}
