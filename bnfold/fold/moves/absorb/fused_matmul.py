"""FusedMatMul: a MatMul with a factor, and with the last two axes of its operands exchanged.

Letters: Y = alpha * X' @ W' or alpha * W' @ X', with W constant; X' and W' are X and W, or their
transposes by transA and transB; K the axis that is summed over, N that of W in Y.
Source: onnxruntime, contributed operators, com.microsoft.FusedMatMul-1.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx_ir as ir

from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import FUSED_MATMUL, attribute_of
from bnfold.fold.moves.absorb.matmul import VECTOR
from bnfold.fold.moves.operands import ARRIVES, NOT_PER_CHANNEL
from bnfold.fold.numbers.affine import Affine, along
from bnfold.fold.numbers.exact import Exact, scaled
from bnfold.fold.plan import Answer, NewNode, Operand, Refusal, Replace, Rule
from bnfold.fold.sources.not_constant import not_constant

_BATCHED = Refusal("batch-transposed", "it exchanges axes of the batch with those of a matrix")
_SHIFT = Refusal("matmul-shift", "it has no bias for the shift")


def fused_matmul_after(node: ir.Node, demands: Mapping[int, Affine], facts: Facts) -> Answer:
    """s (alpha X' @ W') = alpha X' @ (s W'), s along N; a shift finds no bias."""
    found = _matrix(node, facts)
    if isinstance(found, Refusal):
        return found
    side, matrix = found
    _, kept = _axes(node, side)
    channels = demands[0].channels(demands[0].rank + (-1 if side else -2), matrix.shape[kept])
    if channels is None:
        return NOT_PER_CHANNEL
    return _SHIFT if demands[0].has_shift else [_replaced(node, side, matrix, channels[0], kept)]


def fused_matmul_before(node: ir.Node, affines: Mapping[int, Affine], facts: Facts) -> Answer:
    """alpha (s X + t)' @ W' = alpha X' @ (s W') + alpha t @ W', s and t along K.

    The shift, along N, moves on to the readers.
    """
    found = _matrix(node, facts)
    if isinstance(found, Refusal):
        return found
    side, matrix = found
    if set(affines) != {1 - side}:
        return ARRIVES
    summed, _ = _axes(node, side)
    affine, rank = affines[1 - side], facts.rank(node.outputs[0])
    transposed = attribute_of(node, "transA" if side else "transB", 0)
    axis = affine.rank + (-2 if bool(side) == bool(transposed) else -1)
    channels = affine.channels(axis, matrix.shape[summed]) if affine.rank >= 2 else None
    if channels is None:
        return NOT_PER_CHANNEL
    s, t = channels
    if not affine.has_shift:
        return [_replaced(node, side, matrix, s, summed)]
    if rank is None or len(matrix.shape) != 2:
        return _SHIFT
    whole = matrix.value()
    added = attribute_of(node, "alpha", 1.0) * (t @ (whole if summed == -2 else whole.T))
    passed = along(rank + (-1 if side else -2), rank, np.ones_like(added), added)
    return [_replaced(node, side, matrix, s, summed, {0: passed})]


def _matrix(node: ir.Node, facts: Facts) -> tuple[int, Exact] | Refusal:
    """Which operand is the constant matrix, and the matrix."""
    if attribute_of(node, "transBatchA", 0) or attribute_of(node, "transBatchB", 0):
        return _BATCHED
    for side in (1, 0):
        matrix = facts.exact(node.inputs[side])
        if matrix is not None:
            fits = len(matrix.shape) >= 2 and (facts.rank(node.inputs[1 - side]) or 0) >= 2
            return (side, matrix) if fits else VECTOR
    return not_constant(node.inputs[1], facts, "weight", "dynamic-weight")


def _axes(node: ir.Node, side: int) -> tuple[int, int]:
    """Of the matrix as it is stored: which axis is summed over, and which is one of Y."""
    transposed = bool(attribute_of(node, "transB" if side else "transA", 0))
    return (-1, -2) if transposed == bool(side) else (-2, -1)


def _replaced(
    node: ir.Node,
    side: int,
    matrix: Exact,
    s: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    axis: int,
    passes: Mapping[int, Affine] | None = None,
) -> Replace:
    laid = (1,) * (len(matrix.shape) - 2) + ((1, -1) if axis == -1 else (-1, 1))
    operands: list[Operand] = list(node.inputs)
    operands[side] = scaled(matrix, s.reshape(laid))
    return Replace((NewNode("FusedMatMul", tuple(operands)),), passes or {})


RULES = (Rule("matmul", (FUSED_MATMUL,), backward=fused_matmul_after, forward=fused_matmul_before),)
