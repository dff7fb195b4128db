"""Matrix products."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bnfold.float64.call import Array, Call, Operator


def gemm(call: Call) -> Array:
    """Gemm: alpha * A' @ B' + beta * C.

    Raises:
        ValueError: C has not the shape of the product, in an opset that does not broadcast.
    """
    return _gemm(call, broadcasts=call.opset >= 7 or bool(call.integer("broadcast", 0)))


def gemm_broadcast(call: Call) -> Array:
    """Gemm as from opset 7 on, whatever the version of the call's own domain."""
    return _gemm(call, broadcasts=True)


def _gemm(call: Call, *, broadcasts: bool) -> Array:
    A, B, C = call[0], call[1], call.optional(2)
    A = A.T if call.integer("transA", 0) else A
    B = B.T if call.integer("transB", 0) else B
    alpha, beta = call.real("alpha", 1.0), call.real("beta", 1.0)
    y: Array = A @ B
    if alpha != 1:
        y = (alpha * y).astype(y.dtype)
    if C is None or beta == 0:  # as BLAS has it: C is not read then, and may hold anything
        return y
    C = np.asarray(C if beta == 1 else beta * C, y.dtype)
    if not broadcasts and C.shape != y.shape:
        raise ValueError("C does not have the shape of the product")
    return y + C


def matmul(call: Call) -> Array:
    """MatMul: [*, M, K] @ [*, K, N] -> [*, M, N]; leading axes broadcast, vectors as in numpy.

    Source: ONNX operators, MatMul-13.
    """
    y: Array = np.asarray(call[0] @ call[1])
    return y


def einsum(call: Call) -> Array:
    """Einsum: products of all operands, summed over the labels that the output does not name.

    Source: ONNX operators, Einsum-12.
    """
    operands: list[Any] = [call[i] for i in range(len(call))]
    return np.asarray(np.einsum(call.text("equation", ""), *operands, optimize=True))


OPERATORS: Mapping[str, Operator] = {"Einsum": einsum, "Gemm": gemm, "MatMul": matmul}
