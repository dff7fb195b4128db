"""Blocks of networks, each in several forms that compute the same, as exporters write them.

A form is ONNX text from {x} to {y}; other names begin with {p}, and so do those of its weights.
Every form of a block is the same function in exact arithmetic, and rounds otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.generic]
Rng = np.random.Generator
EPSILON = 1e-5


@dataclass(frozen=True)
class Form:
    """One way to write a block; floats among the weights take the type of the network."""

    text: str
    weights: Mapping[str, Array] = field(default_factory=dict)


Forms = list[Form]
Block = Callable[[Rng, int], tuple[Forms, int]]
"""From the channels that come in: the forms, and the channels that go out."""


def linear(rng: Rng, c: int) -> tuple[Forms, int]:
    """x W + b: as products, a Gemm, a sum over halves of x, halves of the results side by side."""
    n = int(rng.integers(4, 90))
    w, b = rng.normal(size=(c, n)) / np.sqrt(c), rng.normal(size=n)
    i, j = max(c // 3, 1), n // 2
    return [
        Form("{p}a = MatMul ({x}, {p}w)  {y} = Add ({p}a, {p}b)", {"w": w, "b": b}),
        Form("{y} = Gemm ({x}, {p}w, {p}b)", {"w": w, "b": b}),
        Form("{y} = Gemm <transB = 1> ({x}, {p}w, {p}b)", {"w": w.T, "b": b}),
        Form(
            "{p}u, {p}v = Split <axis = 1> ({x}, {p}s)  {p}c = MatMul ({p}u, {p}w)"
            "  {p}d = Gemm ({p}v, {p}k, {p}b)  {y} = Add ({p}c, {p}d)",
            {"s": np.array([i, c - i]), "w": w[:i], "k": w[i:], "b": b},
        ),
        Form(
            "{p}c = Gemm ({x}, {p}w, {p}b)  {p}d = Gemm ({x}, {p}k, {p}e)"
            "  {y} = Concat <axis = 1> ({p}c, {p}d)",
            {"w": w[:, :j], "k": w[:, j:], "b": b[:j], "e": b[j:]},
        ),
    ], n


def norm(rng: Rng, c: int) -> tuple[Forms, int]:
    """A batch norm behind a Gemm: as it is, by its formula, as scale and shift, and folded."""
    n = int(rng.integers(4, 60))
    w = rng.normal(size=(c, n)) / np.sqrt(c)
    s, t, m = rng.uniform(0.5, 2, n), rng.normal(size=n), rng.normal(size=n)
    v = rng.uniform(0.3, 3, n) * (rng.random(n) < 0.9) + 1e-4
    w, s, t, m, v = (a.astype(np.float32).astype(np.float64) for a in (w, s, t, m, v))
    k = s / np.sqrt(v + EPSILON)
    own = {"w": w, "s": s, "t": t}
    return [
        Form(
            "{p}a = MatMul ({x}, {p}w)  {y} = BatchNormalization ({p}a, {p}s, {p}t, {p}m, {p}v)",
            {**own, "m": m, "v": v},
        ),
        Form(
            "{p}a = MatMul ({x}, {p}w)  {p}b = Sub ({p}a, {p}m)  {p}c = Div ({p}b, {p}d)"
            "  {p}f = Mul ({p}c, {p}s)  {y} = Add ({p}f, {p}t)",
            {**own, "m": m, "d": np.sqrt(v + EPSILON)},
        ),
        Form(
            "{p}a = MatMul ({x}, {p}w)  {p}b = Mul ({p}k, {p}a)  {y} = Add ({p}b, {p}h)",
            {"w": w, "k": k, "h": t - m * k},
        ),
        Form("{y} = Gemm ({x}, {p}w, {p}h)", {"w": w * k, "h": t - m * k}),
    ], n


def two_products(rng: Rng, c: int) -> tuple[Forms, int]:
    """(x A) B, and x (A B)."""
    k, n = int(rng.integers(4, 60)), int(rng.integers(4, 40))
    a, b = rng.normal(size=(c, k)) / np.sqrt(c), rng.normal(size=(k, n)) / np.sqrt(k)
    a, b = (z.astype(np.float32).astype(np.float64) for z in (a, b))
    return [
        Form("{p}h = MatMul ({x}, {p}a)  {y} = MatMul ({p}h, {p}b)", {"a": a, "b": b}),
        Form("{y} = MatMul ({x}, {p}c)", {"c": a @ b}),
    ], n


def softmax(rng: Rng, c: int) -> tuple[Forms, int]:
    """Softmax: as it is, by its formula, and by its logarithm; none overflows."""
    del rng
    return [
        Form("{y} = Softmax <axis = 1> ({x})"),
        Form(
            "{p}m = ReduceMax <axes = [1]> ({x})  {p}d = Sub ({x}, {p}m)  {p}a = Exp ({p}d)"
            "  {p}b = ReduceSum ({p}a, {p}l)  {y} = Div ({p}a, {p}b)",
            {"l": np.array([1])},
        ),
        Form("{p}a = LogSoftmax <axis = 1> ({x})  {y} = Exp ({p}a)"),
    ], c


def activation(rng: Rng, c: int) -> tuple[Forms, int]:
    """One of the activations that exporters write in more than one way."""
    kinds = (_relu, _sigmoid, _swish, _gelu, _hard_swish, _softplus, _leaky, _tanh)
    return kinds[rng.integers(len(kinds))](), c


def _relu() -> Forms:
    zero = {"z": np.zeros(())}
    return [
        Form("{y} = Relu ({x})"),
        Form("{y} = Max ({x}, {p}z)", zero),
        Form("{y} = Clip ({x}, {p}z)", zero),
        Form(
            "{p}a = Abs ({x})  {p}b = Add ({p}a, {x})  {y} = Mul ({p}b, {p}h)", {"h": np.array(0.5)}
        ),
    ]


def _sigmoid() -> Forms:
    one = {"o": np.ones(())}
    return [
        Form("{y} = Sigmoid ({x})"),
        Form(
            "{p}a = Neg ({x})  {p}b = Exp ({p}a)  {p}c = Add ({p}o, {p}b)  {y} = Div ({p}o, {p}c)",
            one,
        ),
        Form(
            "{p}a = Neg ({x})  {p}b = Exp ({p}a)  {p}c = Add ({p}b, {p}o)  {y} = Reciprocal ({p}c)",
            one,
        ),
    ]


def _swish() -> Forms:
    return [
        Form("{p}a = Sigmoid ({x})  {y} = Mul ({x}, {p}a)"),
        Form(
            "{p}a = Neg ({x})  {p}b = Exp ({p}a)  {p}c = Add ({p}o, {p}b)  {y} = Div ({x}, {p}c)",
            {"o": np.ones(())},
        ),
    ]


def _gelu() -> Forms:
    root, half, one = np.array(np.sqrt(2.0)), np.array(0.5), np.ones(())
    return [
        Form(
            "{p}a = Div ({x}, {p}r)  {p}b = Erf ({p}a)  {p}c = Add ({p}b, {p}o)"
            "  {p}d = Mul ({x}, {p}c)  {y} = Mul ({p}d, {p}h)",
            {"r": root, "o": one, "h": half},
        ),
        Form(
            "{p}a = Mul ({x}, {p}q)  {p}b = Erf ({p}a)  {p}c = Mul ({p}b, {p}h)"
            "  {p}d = Add ({p}h, {p}c)  {y} = Mul ({p}d, {x})",
            {"q": 1.0 / root, "h": half},
        ),
    ]


def _hard_swish() -> Forms:
    three, six, zero = np.array(3.0), np.array(6.0), np.zeros(())
    return [
        Form("{y} = HardSwish ({x})"),
        Form("{p}a = HardSigmoid <alpha = 0.16666667> ({x})  {y} = Mul ({x}, {p}a)"),
        Form(
            "{p}a = Add ({x}, {p}t)  {p}b = Clip ({p}a, {p}z, {p}s)  {p}c = Mul ({x}, {p}b)"
            "  {y} = Div ({p}c, {p}s)",
            {"t": three, "s": six, "z": zero},
        ),
    ]


def _softplus() -> Forms:
    return [
        Form("{y} = Softplus ({x})"),
        Form(
            "{p}a = Abs ({x})  {p}b = Neg ({p}a)  {p}c = Exp ({p}b)  {p}d = Add ({p}c, {p}o)"
            "  {p}e = Log ({p}d)  {p}f = Relu ({x})  {y} = Add ({p}f, {p}e)",
            {"o": np.ones(())},
        ),
    ]


def _leaky() -> Forms:
    slope, zero = np.array(0.125), np.zeros(())
    return [
        Form("{y} = LeakyRelu <alpha = 0.125> ({x})"),
        Form("{p}a = Mul ({x}, {p}s)  {y} = Max ({x}, {p}a)", {"s": slope}),
        Form(
            "{p}a = Mul ({x}, {p}s)  {p}b = Greater ({x}, {p}z)  {y} = Where ({p}b, {x}, {p}a)",
            {"s": slope, "z": zero},
        ),
        Form("{y} = PRelu ({x}, {p}s)", {"s": slope.reshape(1)}),
    ]


def _tanh() -> Forms:
    one, two = np.ones(()), np.array(2.0)
    return [
        Form("{y} = Tanh ({x})"),
        Form(
            "{p}a = Mul ({p}t, {x})  {p}b = Sigmoid ({p}a)  {p}c = Mul ({p}b, {p}t)"
            "  {y} = Sub ({p}c, {p}o)",
            {"o": one, "t": two},
        ),
    ]


def layer_norm(rng: Rng, c: int) -> tuple[Forms, int]:
    """A layer norm, and its formula with a root, or a power."""
    s, t = rng.uniform(0.5, 2, c), rng.normal(size=c)
    own = {"s": s, "t": t, "e": np.array(EPSILON)}
    centred = (
        "{p}m = ReduceMean <axes = [1]> ({x})  {p}d = Sub ({x}, {p}m)  {p}q = Mul ({p}d, {p}d)"
        "  {p}v = ReduceMean <axes = [1]> ({p}q)  {p}w = Add ({p}v, {p}e)"
    )
    return [
        Form("{y} = LayerNormalization <axis = 1, epsilon = 1e-5> ({x}, {p}s, {p}t)", own),
        Form(
            centred + "  {p}r = Sqrt ({p}w)  {p}n = Div ({p}d, {p}r)  {p}a = Mul ({p}n, {p}s)"
            "  {y} = Add ({p}a, {p}t)",
            own,
        ),
        Form(
            centred + "  {p}r = Pow ({p}w, {p}i)  {p}a = Mul ({p}r, {p}s)  {p}n = Mul ({p}d, {p}a)"
            "  {y} = Add ({p}t, {p}n)",
            {**own, "i": np.array(-0.5)},
        ),
    ], c


def unit_length(rng: Rng, c: int) -> tuple[Forms, int]:
    """x over its root mean square."""
    del rng
    own = {"e": np.array(1e-6), "n": np.array(float(c)), "l": np.array([1])}
    return [
        Form(
            "{p}q = Mul ({x}, {x})  {p}m = ReduceMean <axes = [1]> ({p}q)  {p}a = Add ({p}m, {p}e)"
            "  {p}r = Sqrt ({p}a)  {y} = Div ({x}, {p}r)",
            own,
        ),
        Form(
            "{p}q = ReduceSumSquare <axes = [1]> ({x})  {p}m = Div ({p}q, {p}n)"
            "  {p}a = Add ({p}m, {p}e)  {p}r = Sqrt ({p}a)  {p}k = Reciprocal ({p}r)"
            "  {y} = Mul ({x}, {p}k)",
            own,
        ),
    ], c


def running_sum(rng: Rng, c: int) -> tuple[Forms, int]:
    """A running sum, forwards or back, and the product with a triangle of ones."""
    back = int(rng.integers(2))
    ones = np.tril(np.ones((c, c))) if back else np.triu(np.ones((c, c)))
    return [
        Form(f"{{y}} = CumSum <reverse = {back}> ({{x}}, {{p}}l)", {"l": np.array(1)}),
        Form("{y} = MatMul ({x}, {p}o)", {"o": ones}),
    ], c


def mean_taken_off(rng: Rng, c: int) -> tuple[Forms, int]:
    """x without its mean: a mean, a sum over n, a product with a column of ones over n.

    A column of 1 / n is another function in half precision: n times one rounding, all one way.
    """
    del rng
    return [
        Form("{p}m = ReduceMean <axes = [1]> ({x})  {y} = Sub ({x}, {p}m)"),
        Form(
            "{p}m = ReduceSum ({x}, {p}l)  {p}a = Div ({p}m, {p}n)  {y} = Sub ({x}, {p}a)",
            {"l": np.array([1]), "n": np.array(float(c))},
        ),
        Form(
            "{p}s = MatMul ({x}, {p}c)  {p}m = Div ({p}s, {p}n)  {p}a = Neg ({p}m)"
            "  {y} = Add ({p}a, {x})",
            {"c": np.ones((c, 1)), "n": np.array(float(c))},
        ),
    ], c


def residual(rng: Rng, c: int) -> tuple[Forms, int]:
    """x + b + x W, in each order of the additions."""
    w, b = rng.normal(size=(c, c)) / np.sqrt(c), rng.normal(size=c)
    own = {"w": w, "b": b}
    return [
        Form("{p}a = MatMul ({x}, {p}w)  {p}c = Add ({p}a, {p}b)  {y} = Add ({x}, {p}c)", own),
        Form("{p}a = MatMul ({x}, {p}w)  {p}c = Add ({x}, {p}a)  {y} = Add ({p}b, {p}c)", own),
        Form("{y} = Gemm ({x}, {p}w, {p}b)", {"w": w.astype(np.float32) + np.eye(c), "b": b}),
    ], c


ROWS: tuple[Block, ...] = (
    *(linear, linear, norm, norm, two_products, softmax, activation, activation, layer_norm),
    *(unit_length, running_sum, mean_taken_off, residual),
)
"""Blocks of networks over [N, C]."""
