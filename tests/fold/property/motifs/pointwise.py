"""Activations and other operators that work on each element."""

from __future__ import annotations

import numpy as np

from tests.fold.property.builder import Builder
from tests.fold.property.constants import constant, dims_of


def relu(b: Builder, x: str) -> str:
    return b.node("Relu", [x])


def leaky(b: Builder, x: str) -> str:
    return b.node("LeakyRelu", [x], {"alpha": b.choices.of([0.01, 0.3, -0.5])})


def prelu(b: Builder, x: str) -> str:
    trailing = (1,) * (len(b.shape(x)) - 2)
    slope = b.numbers.normal(size=(dims_of(b, x), *trailing))
    if b.choices.chance(30):
        slope = slope.reshape(-1)[:1].reshape((1,) * (1 + len(trailing)))
    return b.node("PRelu", [x, constant(b, slope, "slope")])


def absolute(b: Builder, x: str) -> str:
    return b.node("Abs", [x])


def clip(b: Builder, x: str) -> str:
    bounds = b.choices.of([(0.0, None), (0.0, 6.0), (None, None), (-1.0, 1.0), (None, 2.0)])
    if b.opset < 11:
        names = zip(("min", "max"), bounds, strict=True)
        return b.node("Clip", [x], {name: v for name, v in names if v is not None})
    inputs = [x, *("" if v is None else constant(b, np.array(v), "bound") for v in bounds)]
    while inputs[-1] == "":
        inputs.pop()
    return b.node("Clip", inputs)


def smooth(b: Builder, x: str) -> str:
    return b.node(b.choices.of(["Sigmoid", "Tanh", "Softplus", "Elu", "Erf"]), [x])


def same(b: Builder, x: str) -> str:
    return b.node(b.choices.of(["Identity", "Dropout"]), [x])


def negate(b: Builder, x: str) -> str:
    return b.node("Neg", [x])


def softmax(b: Builder, x: str) -> str:
    return b.node("Softmax", [x], {"axis": 1})


MOTIFS = [
    (12, relu),
    (3, leaky),
    (3, prelu),
    (2, absolute),
    (3, clip),
    (2, smooth),
    (4, same),
    (2, negate),
    (1, softmax),
]
