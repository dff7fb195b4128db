"""The constants of an operator, and why what stands there is none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import attribute_of, input_of
from bnfold.fold.numbers.affine import Array
from bnfold.fold.numbers.exact import Exact
from bnfold.fold.plan import Refusal
from bnfold.fold.sources.not_constant import not_constant

ARRIVES = Refusal("dynamic-weight", "the affine arrives at its weight or bias, not at its data")
NOT_PER_CHANNEL = Refusal(
    "not-per-channel", "the affine varies along an axis that is not the channels"
)
_UNFIT = Refusal(
    "malformed",
    "its weight, its bias and its input do not fit each other, so that it runs nowhere",
    advice="export the model again",
)


def broadcasting(facts: Facts) -> dict[str, int]:
    """The attributes of a Gemm or Add that broadcasts its bias: before opset 7 it has to say so."""
    return {} if facts.opset() >= 7 else {"broadcast": 1}


def weight_of(node: ir.Node, facts: Facts) -> Exact | Refusal:
    """The constant weight; a quantised one is refused here, and has rules of its own."""
    value = input_of(node, 1)
    return facts.exact(value) or not_constant(value, facts, "weight", "dynamic-weight")


@dataclass(frozen=True)
class ConvConstants:
    """The constants of a convolution, which fit each other.

    Attributes:
        weight: [Cout, Cin/group, *kernel].
        bias: [Cout]; zeros where it is left out.
        group: as many groups of channels.
    """

    weight: Exact
    bias: Array
    group: int


def conv_constants_of(node: ir.Node, facts: Facts, *, bias: int) -> ConvConstants | Refusal:
    """The constants of a Conv or DeformConv whose bias is its input `bias`."""
    weight = weight_of(node, facts)
    if isinstance(weight, Refusal):
        return weight
    size, group = weight.shape[0] if weight.shape else 0, attribute_of(node, "group", 1)
    b = bias_of(node, bias, size, facts)
    if isinstance(b, Refusal):
        return b
    stated = attribute_of(node, "kernel_shape", None)
    fits = (
        len(weight.shape) > 2
        and facts.rank(node.inputs[0]) in (None, len(weight.shape))
        and group >= 1
        and size % group == 0
        and facts.dim(node.inputs[0], 1) in (None, weight.shape[1] * group)
        and (stated is None or tuple(stated) == weight.shape[2:])
        and b.shape == (size,)
    )
    return ConvConstants(weight, b, group) if fits else _UNFIT


def bias_of(node: ir.Node, index: int, size: int, facts: Facts) -> Array | Refusal:
    """The constant bias [size] in float64; zeros where it is left out."""
    value = input_of(node, index)
    if value is None:
        return np.zeros(size)
    exact = facts.exact(value)
    if exact is None:
        return not_constant(value, facts, "bias", "dynamic-bias")
    return exact.value().reshape(-1)
