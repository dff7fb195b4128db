"""Comparisons and truth values."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bnfold.float64.call import Array, Call, Operator
from bnfold.float64.elementwise import binary, unary


def where(call: Call) -> Array:
    """Where: the second input where the condition holds, else the third; all three broadcast.

    Source: ONNX operators, Where-16.
    """
    return np.where(call[0], call[1], call[2])


def is_inf(call: Call) -> Array:
    """IsInf: whether each element is infinite, with a sign that is asked for.

    Source: ONNX operators, IsInf-20.
    """
    x = call[0]
    negative = np.isneginf(x) & bool(call.integer("detect_negative", 1))
    return np.asarray(negative | (np.isposinf(x) & bool(call.integer("detect_positive", 1))))


OPERATORS: Mapping[str, Operator] = {
    "And": binary(np.logical_and),
    "Equal": binary(np.equal),
    "Greater": binary(np.greater),
    "GreaterOrEqual": binary(np.greater_equal),
    "IsInf": is_inf,
    "IsNaN": unary(np.isnan),
    "Less": binary(np.less),
    "LessOrEqual": binary(np.less_equal),
    "Not": unary(np.logical_not),
    "Or": binary(np.logical_or),
    "Where": where,
    "Xor": binary(np.logical_xor),
}
