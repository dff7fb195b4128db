"""Functions of one, two or many values, element by element."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping

import numpy as np

from bnfold.float64.call import Array, Call, Operator


def unary(function: Callable[[Array], Array]) -> Operator:
    """An operator of one input without attributes."""
    return lambda call: np.asarray(function(call[0]))


def binary(function: Callable[[Array, Array], Array]) -> Operator:
    """An operator of two inputs that broadcast; before opset 7 along `axis`."""

    def run(call: Call) -> Array:
        a, b = call[0], call[1]
        if call.opset < 7 and call.integer("broadcast", 0):
            axis = call.integer("axis", a.ndim - b.ndim)
            b = b.reshape(*b.shape, *[1] * (a.ndim - (axis % max(a.ndim, 1)) - b.ndim))
        return np.asarray(function(a, b))

    return run


def variadic(function: Callable[[Array, Array], Array]) -> Operator:
    """An operator that combines any number of inputs."""
    return lambda call: np.asarray(functools.reduce(function, (call[i] for i in range(len(call)))))


def mean(call: Call) -> Array:
    """Mean of all inputs."""
    return np.asarray(functools.reduce(np.add, (call[i] for i in range(len(call)))) / len(call))


def divide(a: Array, b: Array) -> Array:
    """Div; integers are truncated towards zero."""
    if a.dtype.kind == "f":
        return np.asarray(a / b)
    quotient = np.floor_divide(np.abs(a), np.abs(b))
    return np.asarray(np.where((a < 0) ^ (b < 0), -quotient, quotient), a.dtype)


def power(a: Array, b: Array) -> Array:
    """Pow: a ** b, of shapes that broadcast, in the dtype of the base a.

    Source: ONNX operators, Pow-15.
    """
    if a.dtype.kind == "f" or b.dtype.kind == "f":
        return np.asarray(np.power(a.astype(np.float64), b), a.dtype)
    return np.asarray(np.power(a, b.astype(a.dtype)))


def modulo(call: Call) -> Array:
    """Mod, with the sign of the divisor or, with `fmod`, of the dividend."""
    function = np.fmod if call.integer("fmod", 0) else np.mod
    return np.asarray(function(call[0], call[1]))


def erf(x: Array) -> Array:
    """The error function."""
    return np.fromiter(map(math.erf, x.reshape(-1).tolist()), np.float64, x.size).reshape(x.shape)


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x))."""
    return np.asarray(1 / (1 + np.exp(-x)))


def softplus(x: Array) -> Array:
    """log(1 + exp(x)), without overflow."""
    return np.asarray(np.logaddexp(x, 0.0))


def elu(call: Call) -> Array:
    """Elu: x where x > 0, else alpha (exp(x) - 1).

    Source: ONNX operators, Elu-6.
    """
    x = call[0]
    return np.where(x > 0, x, call.real("alpha", 1.0) * np.expm1(np.minimum(x, 0)))


def selu(call: Call) -> Array:
    """Selu: gamma x where x > 0, else gamma alpha (exp(x) - 1).

    Source: ONNX operators, Selu-6.
    """
    x, gamma = call[0], call.real("gamma", 1.0507009873554804)
    alpha = call.real("alpha", 1.6732632423543772)
    return np.asarray(gamma * np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0))))


def celu(call: Call) -> Array:
    """Celu: max(x, 0) + min(alpha (exp(x / alpha) - 1), 0).

    Source: ONNX operators, Celu-12.
    """
    x, alpha = call[0], call.real("alpha", 1.0)
    return np.asarray(np.maximum(x, 0) + np.minimum(0, alpha * np.expm1(np.minimum(x, 0) / alpha)))


def gelu(call: Call) -> Array:
    """Gelu, by the error function or its tanh approximation."""
    x = call[0]
    if call.text("approximate", "none") == "tanh":
        inner = math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)
        return np.asarray(0.5 * x * (1 + np.tanh(inner)))
    return np.asarray(0.5 * x * (1 + erf(x / math.sqrt(2))))


def leaky_relu(call: Call) -> Array:
    """LeakyRelu: alpha x where x < 0, else x.

    Source: ONNX operators, LeakyRelu-16.
    """
    x = call[0]
    return np.where(x < 0, call.real("alpha", 0.01) * x, x)


def prelu(call: Call) -> Array:
    """PRelu; before opset 7 a slope of one axis lies along the channels."""
    x, slope = call[0], call[1]
    if call.opset < 7 and slope.ndim == 1 and x.ndim > 2:
        slope = slope.reshape(-1, *[1] * (x.ndim - 2))
    return np.where(x < 0, slope * x, x)


def hard_sigmoid(call: Call) -> Array:
    """HardSigmoid: alpha x + beta, kept within [0, 1].

    Source: ONNX operators, HardSigmoid-6.
    """
    return np.clip(call.real("alpha", 0.2) * call[0] + call.real("beta", 0.5), 0.0, 1.0)


def thresholded_relu(call: Call) -> Array:
    """ThresholdedRelu: x where x > alpha, else 0.

    Source: ONNX operators, ThresholdedRelu-10.
    """
    return np.where(call[0] > call.real("alpha", 1.0), call[0], 0.0)


def shrink(call: Call) -> Array:
    """Shrink: x + bias below -lambd, x - bias above lambd, else 0.

    Source: ONNX operators, Shrink-9.
    """
    x, lambd, bias = call[0], call.real("lambd", 0.5), call.real("bias", 0.0)
    return np.where(x < -lambd, x + bias, np.where(x > lambd, x - bias, 0)).astype(x.dtype)


def swish(call: Call) -> Array:
    """Swish: x * sigmoid(alpha x)."""
    return np.asarray(call[0] * sigmoid(call.real("alpha", 1.0) * call[0]))


def clip(call: Call) -> Array:
    """Clip; the bounds are attributes before opset 11 and optional inputs since."""
    y = call[0]
    if call.opset < 11:
        low, high = (np.float64(call.real(n, v)) for n, v in (("min", -np.inf), ("max", np.inf)))
        return np.clip(y, low, high)
    for bound, function in ((call.optional(1), np.maximum), (call.optional(2), np.minimum)):
        y = y if bound is None else function(y, bound.reshape(()))
    return y


OPERATORS: Mapping[str, Operator] = {
    "Abs": unary(np.abs),
    "Acos": unary(np.arccos),
    "Acosh": unary(np.arccosh),
    "Add": binary(np.add),
    "Asin": unary(np.arcsin),
    "Asinh": unary(np.arcsinh),
    "Atan": unary(np.arctan),
    "Atanh": unary(np.arctanh),
    "Ceil": unary(np.ceil),
    "Celu": celu,
    "Clip": clip,
    "Cos": unary(np.cos),
    "Cosh": unary(np.cosh),
    "Div": binary(divide),
    "Elu": elu,
    "Erf": unary(erf),
    "Exp": unary(np.exp),
    "Floor": unary(np.floor),
    "Gelu": gelu,
    "HardSigmoid": hard_sigmoid,
    "HardSwish": unary(lambda x: x * np.clip(x / 6 + 0.5, 0, 1)),
    "LeakyRelu": leaky_relu,
    "Log": unary(np.log),
    "Max": variadic(np.maximum),
    "Mean": mean,
    "Min": variadic(np.minimum),
    "Mish": unary(lambda x: x * np.tanh(softplus(x))),
    "Mod": modulo,
    "Mul": binary(np.multiply),
    "Neg": unary(np.negative),
    "PRelu": prelu,
    "Pow": binary(power),
    "Reciprocal": unary(np.reciprocal),
    "Relu": unary(lambda x: np.maximum(x, x.dtype.type(0))),
    "Round": unary(np.rint),
    "Selu": selu,
    "Shrink": shrink,
    "Sigmoid": unary(sigmoid),
    "Sign": unary(np.sign),
    "Sin": unary(np.sin),
    "Sinh": unary(np.sinh),
    "Softplus": unary(softplus),
    "Softsign": unary(lambda x: x / (1 + np.abs(x))),
    "Sqrt": unary(np.sqrt),
    "Sub": binary(np.subtract),
    "Sum": variadic(np.add),
    "Swish": swish,
    "Tan": unary(np.tan),
    "Tanh": unary(np.tanh),
    "ThresholdedRelu": thresholded_relu,
}
