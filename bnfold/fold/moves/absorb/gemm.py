"""Gemm takes an affine on either side into its matrix and its addend.

Letters: Y [M, N] = alpha * A @ B + beta * C, with A [M, K] and B [K, N] after transA and transB,
and C absent or broadcastable to [M, N]; s, t the affine's channels.
Source: ONNX operators, Gemm-7 to Gemm-13.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx_ir as ir

from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import attribute_of, input_of
from bnfold.fold.moves.operands import ARRIVES, NOT_PER_CHANNEL, broadcasting, weight_of
from bnfold.fold.numbers.affine import Affine, Array, along
from bnfold.fold.numbers.exact import Exact, of_array, reduced, scaled
from bnfold.fold.plan import Answer, NewNode, Operand, Refusal, Replace, Rule
from bnfold.fold.sources.not_constant import not_constant

_OPTIONAL_C = 11  # the opset since which Gemm needs none


def gemm_after(node: ir.Node, demands: Mapping[int, Affine], facts: Facts) -> Answer:
    """An affine that follows a Gemm becomes part of it.

    s * (alpha * A @ B + beta * C) + t = alpha * A @ (s * B) + 1 * (s * beta * C + t)     s, t: [N]
    """
    matrix = weight_of(node, facts)
    if isinstance(matrix, Refusal):
        return matrix
    transposed = attribute_of(node, "transB", 0) == 1
    channels = demands[0].channels(1, matrix.shape[0 if transposed else 1])
    if channels is None:
        return NOT_PER_CHANNEL
    s, t = channels
    addend = _addend(node, facts)
    if isinstance(addend, Refusal):
        return addend
    folded = scaled(matrix, s[:, None] if transposed else s[None, :])
    if addend is None and not np.any(t):
        return [_unbiased(node, folded, facts)]
    return [_absorbed(node, folded, t if addend is None else s * addend + t, facts)]


def gemm_before(node: ir.Node, affines: Mapping[int, Affine], facts: Facts) -> Answer:
    """An affine that precedes a Gemm becomes part of it.

    alpha * (s A' + t) @ B + beta * C
        = alpha * A' @ (s[:, None] * B) + 1 * (beta * C + alpha * t @ B)

    s, t: [K]. Where C is computed at run time, the shift `alpha * t @ B` moves on to the readers.
    """
    matrix = weight_of(node, facts)
    if isinstance(matrix, Refusal) or set(affines) != {0}:
        return matrix if isinstance(matrix, Refusal) else ARRIVES
    transposed = attribute_of(node, "transB", 0) == 1
    axis = 0 if attribute_of(node, "transA", 0) == 1 else 1
    channels = affines[0].channels(axis, matrix.shape[1 if transposed else 0])
    if channels is None:
        return NOT_PER_CHANNEL
    s, t = channels
    folded = scaled(matrix, s[None, :] if transposed else s[:, None])
    if not affines[0].has_shift:
        kept = input_of(node, 2)
        inputs: tuple[Operand, ...] = (node.inputs[0], folded)
        inputs = inputs if kept is None else (*inputs, kept)
        return [Replace((NewNode("Gemm", inputs),))]
    added = attribute_of(node, "alpha", 1.0) * product(t, matrix, transposed=transposed)
    addend = _addend(node, facts)
    if isinstance(addend, Refusal):
        inputs = (node.inputs[0], folded, node.inputs[2])
        passed = along(1, 2, np.ones_like(added), added)
        return [Replace((NewNode("Gemm", inputs),), {0: passed})]
    total = added if addend is None else addend + added
    return [_absorbed(node, folded, total, facts)]


def product(t: Array, matrix: Exact, *, transposed: bool) -> Array:
    """`t @ B` [N] for t [K] and B [K, N], or its transpose as stored."""
    if transposed:
        return reduced(matrix, lambda rows, _a, _b: np.asarray(rows @ t), concatenate=True)
    return reduced(matrix, lambda rows, a, b: np.asarray(t[a:b] @ rows), concatenate=False)


def _addend(node: ir.Node, facts: Facts) -> Array | Refusal | None:
    """`beta * C` in float64; None where there is no C, or none that is read, whatever its shape."""
    value, beta = input_of(node, 2), float(attribute_of(node, "beta", 1.0))
    if value is None or beta == 0.0:
        return None
    exact = facts.exact(value)
    if exact is None:
        return not_constant(value, facts, "addend", "dynamic-bias")
    return exact.value() * beta


def _absorbed(node: ir.Node, matrix: Exact, addend: Array, facts: Facts) -> Replace:
    bias = of_array(np.asarray(addend), matrix.dtype)
    attributes = {name: attribute_of(node, name, None) for name in node.attributes}
    attributes.pop("beta", None)
    attributes |= broadcasting(facts)
    return Replace((NewNode("Gemm", (node.inputs[0], matrix, bias), attributes),))


def _unbiased(node: ir.Node, matrix: Exact, facts: Facts) -> Replace:
    """Where nothing is added: a C that is not read goes, but where Gemm must have one."""
    inputs: tuple[Operand, ...] = (node.inputs[0], matrix)
    unread = input_of(node, 2)
    if unread is not None and facts.opset() < _OPTIONAL_C:
        inputs = (*inputs, unread)
    return Replace((NewNode("Gemm", inputs),))


RULES = (Rule("gemm", ("Gemm",), backward=gemm_after, forward=gemm_before, copied=True),)
