"""Operators that onnxruntime contributes, com.microsoft: fused ones, by what they are made of.

Source: onnxruntime, docs/ContribOperators.md.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bnfold.float64.call import Array, Call, Operator
from bnfold.float64.conv import conv

_LEAKY = 0.01


def fused_conv(call: Call) -> Array:
    """FusedConv: activation(conv(x, W) + b + z)."""
    y, z = conv(call), call.optional(3)
    y = y if z is None else y + z
    name, given = call.text("activation", ""), call.attributes.get("activation_params")
    parameters = [float(p) for p in given] if isinstance(given, list | tuple | np.ndarray) else []
    if name == "":
        return y
    if name == "Relu":
        return np.asarray(np.maximum(y, 0))
    if name == "LeakyRelu":
        return np.asarray(np.where(y < 0, y * (parameters[0] if parameters else _LEAKY), y))
    if name == "Sigmoid":
        return np.asarray(1 / (1 + np.exp(-y)))
    if name == "Tanh":
        return np.asarray(np.tanh(y))
    raise call.unsupported(f"the activation {name!r} is not known")


OPERATORS: Mapping[str, Operator] = {"FusedConv": fused_conv}
