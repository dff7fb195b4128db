"""A pointwise Conv before or behind a ConvTranspose becomes part of it.

Letters: z = conv(x, W1, b1) with one tap; y = convT(z, T, c), T [Cm, Co, *kernel].

    before:  convT(W1 x) = convT(x, T'),  T'[i, o] = sum_m W1[m, i] T[m, o]       where b1 = 0
    behind:  W2 (convT(x, T) + c) + b2 = convT(x, T') + (W2 c + b2),
             T'[i, o] = sum_m T[i, m] W2[o, m]

A bias before it is not one behind it: how many taps reach a position differs.
"""

from __future__ import annotations

import math

import numpy as np
import onnx_ir as ir

from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import attribute_of, is_op
from bnfold.fold.merge.window_kernel import kernel_of
from bnfold.fold.moves.operands import bias_of
from bnfold.fold.numbers.affine import Array
from bnfold.fold.numbers.exact import Exact, mapped, of_array
from bnfold.fold.plan import NewNode, Operand, Refusal


def behind_conv(first: ir.Node, node: ir.Node, facts: Facts) -> tuple[NewNode, ...] | None:
    """The ConvTranspose that a pointwise Conv without a bias and the one behind it come to."""
    taps, weight = _pointwise(first, facts), _weight(node, facts)
    if taps is None or weight is None or np.any(taps[1]) or taps[0].shape[0] != weight.shape[0]:
        return None
    matrix = taps[0]
    if matrix.shape[1] > weight.shape[0] + matrix.size // _per_input(weight):
        return None
    shape = (matrix.shape[1], *weight.shape[1:])
    merged = mapped(weight, shape, lambda t: np.tensordot(matrix, t, (0, 0)), weight.dtype)
    rest: tuple[Operand, ...] = tuple(node.inputs[2:])
    return (NewNode("ConvTranspose", (first.inputs[0], merged, *rest)),)


def before_conv(first: ir.Node, node: ir.Node, facts: Facts) -> tuple[NewNode, ...] | None:
    """The ConvTranspose that one and a pointwise Conv behind it come to."""
    taps, weight = _pointwise(node, facts), _weight(first, facts)
    if taps is None or weight is None or taps[0].shape[1] != weight.shape[1]:
        return None
    matrix, b2 = taps
    c = bias_of(first, 2, weight.shape[1], facts)
    if isinstance(c, Refusal):
        return None
    strides = attribute_of(first, "strides", None) or (1,)
    paid = weight.size + math.prod(strides) * matrix.size
    shape = (weight.shape[0], matrix.shape[0], *weight.shape[2:])
    if math.prod(shape) > paid:
        return None

    def whole(t: Array) -> Array:
        return np.moveaxis(np.tensordot(t, matrix, (1, 1)), -1, 1)

    merged = mapped(weight, shape, whole, weight.dtype)
    inputs: tuple[Operand, ...] = (first.inputs[0], merged)
    bias = matrix @ c + b2
    if np.any(bias):
        inputs = (*inputs, of_array(bias, weight.dtype))
    attributes = {name: attribute_of(first, name, None) for name in first.attributes}
    return (NewNode("ConvTranspose", inputs, attributes),)


def _pointwise(node: ir.Node, facts: Facts) -> tuple[Array, Array] | None:
    """`[Cout, Cin]` and `[Cout]` of a Conv with one tap, every position, and one group."""
    kernel = kernel_of(node, facts) if is_op(node, "Conv") else None
    if kernel is None or kernel.group != 1 or not kernel.is_one_tap or kernel.is_padded:
        return None
    if any(axis.stride != 1 for axis in kernel.axes):
        return None
    return kernel.weight.value().reshape(kernel.weight.shape[:2]), kernel.bias


def _weight(node: ir.Node, facts: Facts) -> Exact | None:
    grouped = attribute_of(node, "group", 1) != 1
    return None if grouped or not is_op(node, "ConvTranspose") else facts.exact(node.inputs[1])


def _per_input(weight: Exact) -> int:
    """Multiplications for each channel of one position that a ConvTranspose reads."""
    return max(1, math.prod(weight.shape[1:]))
