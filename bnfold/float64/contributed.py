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
    return _activated(call, y, call.attributes.get("activation_params", ()))


def fused_gemm(call: Call) -> Array:
    """FusedGemm: activation(gemm(A, B, C))."""
    named = (call.attributes.get(f"activation_{name}") for name in ("alpha", "beta"))
    return _activated(call, gemm_broadcast(call), [v for v in named if v is not None])


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


def _activated(call: Call, y: Array, given: object) -> Array:
    name, listed = call.text("activation", ""), given if isinstance(given, list | tuple) else ()
    first, second = (*map(float, listed), None, None)[:2]
    if name == "":
        return y
    if name == "Relu":
        return np.asarray(np.maximum(y, 0))
    if name == "LeakyRelu":
        return np.asarray(np.where(y < 0, y * (_LEAKY if first is None else first), y))
    if name == "Clip" and first is not None and second is not None:
        return np.asarray(np.minimum(np.maximum(y, first), second))
    if name == "HardSigmoid" and first is not None and second is not None:
        return np.asarray(np.clip(first * y + second, 0, 1))
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
