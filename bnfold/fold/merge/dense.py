"""Gemm and MatMul by a constant matrix as a convolution without space, and back.

Letters: Y [..., N] = X [..., K] @ W^T + b, with W [N, K] as a Kernel holds it: the last axis is the
channels. Gemm's alpha and beta are multiplied in; its C must be one row.
Source: ONNX operators, Gemm-7 to Gemm-13, MatMul-1 to MatMul-13.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import attribute_of, input_of, is_op
from bnfold.fold.merge.kernel import Kernel, macs_of
from bnfold.fold.moves.operands import broadcasting
from bnfold.fold.numbers.affine import Array
from bnfold.fold.numbers.exact import Exact, mapped, of_array, scaled
from bnfold.fold.plan import NewNode, Operand

_OPTIONAL_BIAS = 11  # the opset since which a Gemm may leave C out


def dense_of(node: ir.Node, facts: Facts) -> Kernel | None:
    """What a Gemm or MatMul computes of its first input, taken as its transA says."""
    matrix = facts.exact(node.inputs[1])
    if matrix is None or len(matrix.shape) != 2:
        return None
    if is_op(node, "MatMul"):
        weight = _transposed(matrix)
        return Kernel(weight, np.zeros(weight.shape[0]), 1, (), macs_of(weight))
    weight = matrix if attribute_of(node, "transB", 0) else _transposed(matrix)
    alpha = float(attribute_of(node, "alpha", 1.0))
    weight = weight if alpha == 1 else scaled(weight, np.full((1, 1), alpha))
    bias = _row(node, weight.shape[0], facts)
    return None if bias is None else Kernel(weight, bias, 1, (), macs_of(weight))


def dense_nodes(
    kernel: Kernel, node: ir.Node, x: ir.Value, facts: Facts, *, transposed: bool = False
) -> tuple[NewNode, ...]:
    """The operators that compute it in the place of a Gemm or MatMul.

    A MatMul with a bias is a Gemm for x of rank 2, else a MatMul and an Add.
    """
    has_bias = bool(np.any(kernel.bias))
    bias = of_array(kernel.bias, kernel.weight.dtype)
    if is_op(node, "Gemm") or transposed or (has_bias and facts.rank(x) == 2):
        inputs: tuple[Operand, ...] = (x, kernel.weight)
        attributes = {"transA": 1, "transB": 1} if transposed else {"transB": 1}
        needs_bias = has_bias or facts.opset() < _OPTIONAL_BIAS
        attributes |= broadcasting(facts)
        return (NewNode("Gemm", (*inputs, bias) if needs_bias else inputs, attributes),)
    operands = (x, _transposed(kernel.weight))
    if not has_bias:
        return (NewNode("MatMul", operands, {}),)
    add = NewNode("Add", ("product", bias), broadcasting(facts))
    return NewNode("MatMul", operands, {}, "product"), add


def _transposed(matrix: Exact) -> Exact:
    rows, columns = matrix.shape
    return mapped(matrix, (columns, rows), lambda whole: whole.T, matrix.dtype)


def _row(node: ir.Node, size: int, facts: Facts) -> Array | None:
    """`beta * C` as `[N]`; None where it is computed at run time or differs from row to row."""
    value = input_of(node, 2)
    if value is None:
        return np.zeros(size)
    exact = facts.exact(value)
    if exact is None or exact.size not in (1, size) or exact.shape[-1:] not in ((), (exact.size,)):
        return None
    row = np.broadcast_to(exact.value().reshape(-1), (size,))
    return np.asarray(row * float(attribute_of(node, "beta", 1.0)))
