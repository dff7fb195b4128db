"""The constants of an operator, and why what stands there is none."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import input_of
from bnfold.fold.numbers.affine import Array
from bnfold.fold.numbers.exact import Exact
from bnfold.fold.plan import Refusal
from bnfold.fold.sources.not_constant import not_constant

ARRIVES = Refusal("dynamic-weight", "the affine arrives at its weight or bias, not at its data")
NOT_PER_CHANNEL = Refusal(
    "not-per-channel", "the affine varies along an axis that is not the channels"
)


def weight_of(node: ir.Node, facts: Facts, index: int = 1) -> Exact | Refusal:
    """The constant weight; a quantised one is refused here, and has rules of its own."""
    value = input_of(node, index)
    return facts.exact(value) or not_constant(value, facts, "weight", "dynamic-weight")


def bias_of(node: ir.Node, index: int, size: int, facts: Facts) -> Array | Refusal:
    """The constant bias [size] in float64; zeros where it is left out."""
    value = input_of(node, index)
    if value is None:
        return np.zeros(size)
    exact = facts.exact(value)
    if exact is None:
        return not_constant(value, facts, "bias", "dynamic-bias")
    return exact.value().reshape(-1)
