"""MatMul by a constant matrix takes a scale on either side; a shift moves on, or makes it a Gemm.

Letters: Y = X @ W with W [..., K, N] constant, or Y = W @ X with W [..., M, K] constant; the affine
applies to Y (backward) or to X (forward), whose last axes are meant by "rows" and "columns". A
vector W [K] is a matrix [K, 1] on the right, [1, K] on the left, without the axis of extent 1 in Y.
Source: ONNX operators, MatMul-1 to MatMul-13 (numpy.matmul).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx_ir as ir

from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.origin import origin_of
from bnfold.fold.moves.operands import ARRIVES, NOT_PER_CHANNEL, broadcasting
from bnfold.fold.numbers.affine import Affine
from bnfold.fold.numbers.exact import Exact, mapped, of_array, scaled
from bnfold.fold.plan import (
    EXCHANGE,
    Answer,
    Leave,
    Move,
    NewNode,
    Operand,
    Price,
    Refusal,
    Replace,
    Rule,
)
from bnfold.fold.sources.not_constant import not_constant

MATMUL_SHIFT = Refusal(
    "matmul-shift",
    "a MatMul has no bias for the shift, and its rank is not 2, so that it is no Gemm",
    advice="give the layer a bias: the Add that follows then takes the shift",
)

_PRODUCT = "product"  # a temporary's name
_BROADCASTS = 7  # the opset since which an Add need not name the axis that a constant lies along

VECTOR = Refusal(
    "vector-operand", "it multiplies a vector, or what may be one: the product has an axis less"
)


def matmul_after(node: ir.Node, demands: Mapping[int, Affine], facts: Facts) -> Answer:
    """An affine that follows a MatMul becomes part of it.

    s * (X @ W) + t = X @ (W * s) + t              s along the columns: [N]
    s * (W @ X) + t = (s[:, None] * W) @ X + t     s along the rows: [M]
    s * (X @ W)     = (s[:, None] * X) @ W         s along the rows, W on the right: moves on to X

    A shift that is not 0 makes a MatMul of rank 2 a Gemm with the addend t.
    """
    side, matrix = _constant_side(node, facts)
    if matrix is None:
        return _no_matrix(node, facts)
    if (facts.rank(node.inputs[1 - side]) or 1) < 2:
        return VECTOR
    demand = _lifted(demands[0], side) if _is_vector(node, side, facts) else demands[0]
    axis = demand.rank - (1 if side == 1 else 2)
    channels = demand.channels(axis, matrix.shape[-1 if side == 1 else -2])
    if channels is None:
        if demand.has_shift or demand.varies_along(axis):
            return NOT_PER_CHANNEL
        return [Leave({1 - side: demand})]
    s, t = channels
    factor = s if side == 1 else s[:, None]
    folded = scaled(matrix, factor.reshape((1,) * (len(matrix.shape) - factor.ndim) + factor.shape))
    if not demand.has_shift:
        return [Replace((NewNode("MatMul", _operands(node, side, folded, facts)),))]
    if demand.rank != 2 or _is_vector(node, side, facts):
        return MATMUL_SHIFT
    addend = of_array(np.array(t if side == 1 else t[:, None]), matrix.dtype)
    inputs = (*_operands(node, side, folded, facts), addend)
    return [Replace((NewNode("Gemm", inputs, broadcasting(facts)),))]


def matmul_before(node: ir.Node, affines: Mapping[int, Affine], facts: Facts) -> Answer:
    """An affine that precedes a MatMul becomes part of it, and its shift moves on as a shift of Y.

    (s X' + t) @ W = X' @ (s[:, None] * W) + t @ W       s along the columns of X: [K]
    (s X' + t) @ W = s * (X' @ W) + t @ W                s along any other axis: moves on whole
    W @ (s X' + t) = (W * s) @ X' + W @ t                s along the rows of X: [K]

    One number for all of X moves on, or becomes part of W. Where nobody takes the shift, a MatMul
    of rank 2 becomes a Gemm with the addend t @ W; another one gets an Add behind it in exchange
    for a node that goes, where Y has no more numbers than X.
    """
    side, matrix = _constant_side(node, facts)
    if matrix is None:
        return _no_matrix(node, facts)
    if set(affines) != {1 - side}:
        return ARRIVES
    affine = affines[1 - side]
    axis = affine.rank - (1 if side == 1 else 2)
    if affine.rank < 2:
        return VECTOR
    out_rank = facts.rank(node.outputs[0])
    if out_rank is None:
        return NOT_PER_CHANNEL
    vector = _is_vector(node, side, facts)
    depth = matrix.shape[-2 if side == 1 else -1]
    shift = (
        _product(affine.shift, matrix, axis, depth, side) if affine.has_shift else np.zeros((1, 1))
    )
    channels = affine.channels(axis, depth)
    moves: list[Move] = []
    if not affine.varies_along(axis):
        passed = Affine(affine.scale, shift)
        passed = (_lowered(passed, side) if vector else passed).aligned(out_rank)
        moves.append(Leave({0: passed}))
    elif channels is None:
        return NOT_PER_CHANNEL
    if channels is not None:  # one number for all of X is one for each column too
        s = channels[0]
        factor = s[:, None] if side == 1 else s[None, :]
        lead = (1,) * (len(matrix.shape) - 2)
        folded = scaled(matrix, factor.reshape(lead + factor.shape))
        passed = Affine(np.ones((1,) * shift.ndim), shift)
        passed = (_lowered(passed, side) if vector else passed).aligned(out_rank)
        operands = _operands(node, side, folded, facts)
        moves.append(Replace((NewNode("MatMul", operands),), {0: passed}))
        if affine.has_shift and len(matrix.shape) == 2 and affine.rank == 2 and not vector:
            addend = of_array(np.array(shift), matrix.dtype)
            gemm = NewNode("Gemm", (*operands, addend), broadcasting(facts))
            moves.append(Replace((gemm,)))
        elif affine.has_shift and _is_bias(node, side, matrix, facts):
            addend = of_array(
                np.array(shift.reshape((-1,) if side == 1 else (-1, 1))), matrix.dtype
            )
            product = NewNode("MatMul", operands, {}, _PRODUCT)
            add = NewNode("Add", (_PRODUCT, addend), {})
            moves.append(Replace((product, add), price=Price(EXCHANGE, MATMUL_SHIFT)))
    return moves


def _is_bias(node: ir.Node, side: int, matrix: Exact, facts: Facts) -> bool:
    """Whether an Add behind it touches no more than the one in front that it stands for."""
    if len(matrix.shape) != 2 or _is_vector(node, side, facts) or facts.opset() < _BROADCASTS:
        return False
    made, read = matrix.shape[::-1] if side == 1 else matrix.shape
    return made <= read and facts.dtype(node.outputs[0]) != ir.DataType.FLOAT16


def _constant_side(node: ir.Node, facts: Facts) -> tuple[int, Exact | None]:
    """Which operand is the constant matrix [.., rows, columns], and the matrix."""
    for side in (1, 0):
        value = node.inputs[side]
        if facts.is_constant(value) and not facts.is_constant(node.inputs[1 - side]):
            matrix = facts.exact(value)
            if matrix is not None and matrix.shape:
                return side, _as_matrix(matrix, side)
    return 1, None


def _no_matrix(node: ir.Node, facts: Facts) -> Answer:
    """Why neither operand is a matrix to write into; nothing where both are fed: see Einsum."""
    for value in (node.inputs[1], node.inputs[0]):
        assert value is not None, "both operands of a MatMul are there"
        if facts.dequantized(value) is not None or not origin_of(value, facts).is_run_time:
            return not_constant(value, facts, "weight", "dynamic-weight")
    return ()


def _as_matrix(matrix: Exact, side: int) -> Exact:
    if len(matrix.shape) != 1:
        return matrix
    shape = (matrix.size, 1) if side == 1 else (1, matrix.size)
    return mapped(matrix, shape, lambda whole: whole.reshape(shape), matrix.dtype)


def _is_vector(node: ir.Node, side: int, facts: Facts) -> bool:
    return facts.rank(node.inputs[side]) == 1


def _lifted(affine: Affine, side: int) -> Affine:
    """For the product with the axis of extent 1 that a vector leaves out."""
    axis = -1 if side == 1 else -2
    return Affine(np.expand_dims(affine.scale, axis), np.expand_dims(affine.shift, axis))


def _lowered(affine: Affine, side: int) -> Affine:
    axis = -1 if side == 1 else -2
    return Affine(affine.scale.squeeze(axis), affine.shift.squeeze(axis))


def _operands(node: ir.Node, side: int, matrix: Exact, facts: Facts) -> tuple[Operand, ...]:
    x = node.inputs[1 - side]
    if _is_vector(node, side, facts):
        flat = (matrix.size,)
        matrix = mapped(matrix, flat, lambda whole: whole.reshape(flat), matrix.dtype)
    return (x, matrix) if side == 1 else (matrix, x)


def _product(
    shift: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    matrix: Exact,
    axis: int,
    depth: int,
    side: int,
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """`t @ W` or `W @ t`, t broadcast along the axis that the product sums over."""
    shape = list(shift.shape)
    shape[axis] = depth
    t = np.broadcast_to(shift, shape)
    whole = matrix.value()
    return np.asarray(t @ whole if side == 1 else whole @ t)


RULES = (Rule("matmul", ("MatMul",), backward=matmul_after, forward=matmul_before, copied=True),)
