"""What operators mean, on arrays of symbols.

Those that only move numbers about are run by onnx's reference on the numbers of the places; the
others are written down as the operators' documents say.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import sympy

from tests.fold.proofs.places import MOVES, Attributes, Inputs, moved
from tests.fold.proofs.symbols import Symbols, constant, symbols
from tests.fold.proofs.windows import conv, conv_transpose, deformed, pool, unpooled


def evaluate(
    op: str, inputs: Inputs, attributes: Attributes, opset: int, count: int = 1
) -> list[Symbols]:
    """The outputs of the operator."""
    if op in MOVES:
        return moved(op, inputs, attributes, opset, count)
    found = _OPERATORS[op](inputs, attributes)
    return found if isinstance(found, list) else [np.asarray(found, dtype=object)]


def _gemm(inputs: Inputs, attributes: Attributes) -> Symbols:
    a, b = inputs[0], inputs[1]
    assert a is not None and b is not None
    a = a.T if attributes.get("transA", 0) else a
    b = b.T if attributes.get("transB", 0) else b
    y = sympy.Rational(float(attributes.get("alpha", 1.0))) * (a @ b)  # type: ignore[arg-type]
    c = inputs[2] if len(inputs) > 2 else None
    beta = sympy.Rational(float(attributes.get("beta", 1.0)))  # type: ignore[arg-type]
    return y if c is None else y + beta * c


def _batch_norm(inputs: Inputs, attributes: Attributes) -> Symbols:
    x, *parameters = inputs
    assert x is not None
    laid = [p.reshape(-1, *[1] * (x.ndim - 2)) for p in parameters if p is not None]
    gamma, beta, mean, variance = laid
    epsilon = sympy.Rational(float(np.float32(attributes.get("epsilon", 1e-5))))  # type: ignore[arg-type]
    root = np.vectorize(lambda v: sympy.sqrt(v + epsilon), otypes=[object])(variance)
    return gamma * (x - mean) / root + beta


def _reduced(combine: Callable[[list[object]], object]) -> Callable[[Inputs, Attributes], Symbols]:
    def run(inputs: Inputs, attributes: Attributes) -> Symbols:
        x = inputs[0]
        assert x is not None
        given = inputs[1] if len(inputs) > 1 else None
        axes = [int(a) % x.ndim for a in given] if given is not None else list(range(x.ndim))
        kept = [i for i in range(x.ndim) if i not in axes]
        moved = x.transpose([*kept, *axes])
        flat = moved.reshape(*(x.shape[i] for i in kept), -1)
        y = np.empty(flat.shape[:-1], dtype=object)
        for place in np.ndindex(*y.shape):
            y[place] = combine(list(flat[place]))
        if attributes.get("keepdims", 1):
            y = y.reshape([1 if i in axes else n for i, n in enumerate(x.shape)])
        return y

    return run


def _interpolated(inputs: Inputs, attributes: Attributes) -> Symbols:
    """Each output entry a mean of its channel's entries, whose weights sum to 1 and are any."""
    x = inputs[0]
    assert x is not None
    space = 2  # entries made of each channel
    flat = x.reshape(*x.shape[:2], -1)
    w = symbols("interpolation", (space, flat.shape[2]))
    for p in range(space):
        w[p, -1] = 1 - sum(w[p, :-1])
    del attributes
    return np.einsum("ncq,pq->ncp", flat, w).reshape(*x.shape[:2], space, *[1] * (x.ndim - 3))


def _each(function: Callable[..., object]) -> Callable[[Inputs, Attributes], Symbols]:
    def run(inputs: Inputs, attributes: Attributes) -> Symbols:
        del attributes
        return np.vectorize(function, otypes=[object])(*inputs)

    return run


def _leaky(inputs: Inputs, attributes: Attributes) -> Symbols:
    slope = sympy.Rational(float(np.float32(attributes.get("alpha", 0.01))))  # type: ignore[arg-type]
    return _prelu([inputs[0], constant(slope, ())], {})


def _prelu(inputs: Inputs, attributes: Attributes) -> Symbols:
    del attributes

    def one(x: sympy.Expr, a: sympy.Expr) -> sympy.Expr:
        return sympy.Piecewise((x, x > 0), (a * x, True))

    return np.vectorize(one, otypes=[object])(inputs[0], inputs[1])


def _clip(inputs: Inputs, attributes: Attributes) -> Symbols:
    del attributes
    x = np.asarray(inputs[0])
    for bound, function in zip(inputs[1:], (sympy.Max, sympy.Min), strict=False):
        if bound is not None:
            x = np.vectorize(function, otypes=[object])(x, bound)
    return x


def _where(inputs: Inputs, attributes: Attributes) -> Symbols:
    """The condition is a number here: 1 where it holds, 0 where not."""
    del attributes
    c, a, b = (np.asarray(value) for value in inputs)
    return c * a + (1 - c) * b


def _if(inputs: Inputs, attributes: Attributes) -> list[Symbols]:
    """What the bodies return stands behind the condition, a number as that of Where."""
    c, *returned = inputs
    half = len(returned) // 2
    pairs = zip(returned[:half], returned[half:], strict=True)
    return [_where([c, *pair], attributes) for pair in pairs]


def _stacked(inputs: Inputs, attributes: Attributes) -> list[Symbols]:
    """What one value is carried to, here itself, and what the body returns, of two turns."""
    (axis,) = attributes.get("scan_output_axes", (0,))  # type: ignore[misc]
    turns = np.stack([np.asarray(inputs[-1])] * 2, axis)
    return [np.asarray(inputs[0]), turns] if "num_scan_inputs" in attributes else [turns]


def _softmax(inputs: Inputs, attributes: Attributes) -> Symbols:
    x = np.asarray(inputs[0])
    powers = np.vectorize(sympy.exp, otypes=[object])(x)
    return powers / powers.sum(axis=int(attributes["axis"]), keepdims=True)  # type: ignore[call-overload]


def _normalized(axes_of: Callable[[int, Attributes], Sequence[int]]) -> Callable[..., Symbols]:
    """g * (x - mean) * f(sum of squares of x - mean) + b: whatever is done with the variance."""

    def run(inputs: Inputs, attributes: Attributes) -> Symbols:
        x, g, b = (np.asarray(value) for value in inputs[:3])
        axes = tuple(axes_of(x.ndim, attributes))
        size = sympy.Integer(math.prod(x.shape[a] for a in axes))
        apart = x - x.sum(axis=axes, keepdims=True) / size
        square = (apart**2).sum(axis=axes, keepdims=True)
        apart = np.vectorize(sympy.expand, otypes=[object])(apart)
        square = np.vectorize(sympy.expand, otypes=[object])(square)
        spread = np.vectorize(sympy.Function("spread", real=True), otypes=[object])(square)
        laid = (-1, *[1] * (x.ndim - 2)) if "axis" not in attributes else g.shape
        return g.reshape(laid) * apart * spread + b.reshape(laid)

    return run


def _by_size(inputs: Inputs, attributes: Attributes) -> Symbols:
    """g * x / rms(x), where x stays: whatever is made of the last axis's squares."""
    del attributes
    x, g = np.asarray(inputs[0]), np.asarray(inputs[1])
    square = (x**2).sum(axis=-1, keepdims=True)
    return g * x * np.vectorize(sympy.Function("spread", real=True), otypes=[object])(square)


def _gates(inputs: Inputs, attributes: Attributes) -> Symbols:
    """What enters the gates from X: X @ W^T + Wb. Whatever follows is the same function of it."""
    del attributes
    x, w = np.asarray(inputs[0]), np.asarray(inputs[1])
    b = inputs[3] if len(inputs) > 3 else None
    y = np.einsum("tnf,dgf->tdng", x, w)
    half = w.shape[1]
    return y if b is None else y + b[None, :, None, :half]


def _times(values: Sequence[Symbols]) -> Symbols:
    return np.asarray(values[0] * values[1])


def _all(inputs: Inputs) -> list[Symbols]:
    return [np.asarray(value) for value in inputs]


_OPERATORS: Mapping[str, Callable[[Inputs, Attributes], object]] = {
    "Conv": conv,
    "ConvTranspose": conv_transpose,
    "DeformConv": deformed,
    "Gemm": _gemm,
    "MatMul": lambda i, a: _all(i)[0] @ _all(i)[1],
    "Einsum": lambda i, a: np.einsum(str(a["equation"]), *_all(i)),
    "BatchNormalization": _batch_norm,
    "Add": lambda i, a: _all(i)[0] + _all(i)[1],
    "Sub": lambda i, a: _all(i)[0] - _all(i)[1],
    "Mul": lambda i, a: _times(_all(i)),
    "Div": lambda i, a: _all(i)[0] / _all(i)[1],
    "Sum": lambda i, a: sum(_all(i)),
    "Mean": lambda i, a: sum(_all(i)) / sympy.Integer(len(i)),
    "Neg": lambda i, a: -_all(i)[0],
    "Identity": lambda i, a: _all(i)[0],
    "Dropout": lambda i, a: _all(i)[0],
    "Cast": lambda i, a: _all(i)[0],
    "CastLike": lambda i, a: _all(i)[0],
    "MaxUnpool": unpooled,
    "Max": _each(sympy.Max),
    "Min": _each(sympy.Min),
    "Where": _where,
    "If": _if,
    "Loop": _stacked,
    "Scan": _stacked,
    "Relu": _each(lambda x: sympy.Max(x, 0)),
    "LeakyRelu": _leaky,
    "PRelu": _prelu,
    "Abs": _each(sympy.Abs),
    "Sqrt": _each(sympy.sqrt),
    "Pow": _each(lambda x, p: x ** sympy.nsimplify(p, rational=True)),
    "Clip": _clip,
    "MaxPool": pool(largest=True),
    "AveragePool": pool(largest=False),
    "GlobalMaxPool": pool(largest=True),
    "GlobalAveragePool": pool(largest=False),
    "LpPool": pool(largest=False, power=1),
    "GlobalLpPool": pool(largest=False, power=1),
    "ReduceMean": _reduced(lambda v: sum(v) / sympy.Integer(len(v))),
    "ReduceSum": _reduced(sum),
    "ReduceMax": _reduced(lambda v: sympy.Max(*v)),
    "ReduceMin": _reduced(lambda v: sympy.Min(*v)),
    "ReduceL1": _reduced(lambda v: sum(sympy.Abs(x) for x in v)),
    "ReduceL2": _reduced(lambda v: sum(sympy.Abs(x) for x in v)),
    "Resize": _interpolated,
    "Upsample": _interpolated,
    "GridSample": _interpolated,
    "Softmax": _softmax,
    "LogSoftmax": lambda i, a: np.vectorize(sympy.log, otypes=[object])(_softmax(i, a)),
    "InstanceNormalization": _normalized(lambda rank, a: range(2, rank)),
    "GroupNormalization": _normalized(lambda rank, a: range(1, rank)),
    "LayerNormalization": _normalized(lambda rank, a: range(int(a["axis"]) % rank, rank)),  # type: ignore[call-overload]
    "RMSNormalization": _by_size,
    "RNN": _gates,
    "GRU": _gates,
    "LSTM": _gates,
    "CumSum": lambda i, a: np.cumsum(_all(i)[0], axis=int(_all(i)[1])),
}
