"""An affine beside another one: which of them takes the other over, and what stays as it is."""

from __future__ import annotations

import numpy as np
import pytest

from tests.fold.merge.merging import merged
from tests.fold.property.text_models import norm, weight

C = {"w": weight(4, 6), "s": weight(4), "c": weight(4, seed=1), "z": np.float32([1, 0, -1, 0])}
C |= {"t": weight(6), "d": weight(6, seed=1), "e": weight(1, 4, seed=2)}
TOKENS = "(float[2, 5, 4] x, float[2, 5, 4] k) => (float[2, 5, N] y)"
IMAGE = {"s": weight(4, 1, 1), "l": weight(3), **norm("p", 4, signs=True)}


@pytest.mark.parametrize("opset", [7, 18])
@pytest.mark.parametrize(
    ("body", "operators"),
    [
        # backward: an addition keeps what is its own
        ("a = MatMul(x, w) b = Add(a, t) y = Mul(b, d)", "MatMul Add"),
        ("a = MatMul(x, w) b = Sub(a, t) y = Mul(b, d)", "MatMul Add"),
        ("a = MatMul(x, w) b = Sub(t, a) y = Mul(b, d)", "MatMul Sub"),
        # forward: it divides by the scale, where that can be
        ("r = Relu(x) a = Mul(r, s) b = Add(a, c) y = MatMul(b, w)", "Relu Add MatMul"),
        ("r = Relu(x) a = Mul(r, s) b = Sub(c, a) y = MatMul(b, w)", "Relu Sub MatMul"),
        ("r = Relu(x) a = Mul(r, z) b = Add(a, c) y = MatMul(b, w)", "Relu Mul Add MatMul"),
        # a multiplication has no place for a shift, and lets it pass
        ("r = Relu(x) a = Mul(r, s) y = Add(a, c)", "Relu Mul Add"),
        ("r = Relu(x) a = Mul(r, s) y = Mul(a, c)", "Relu Mul"),
        ("r = Relu(x) a = Add(r, c) b = Mul(a, s) y = MatMul(b, w)", "Relu Add MatMul"),
        ("r = Relu(x) a = Add(r, c) b = Mul(a, s) j = Add(b, k) y = Add(j, c)",
         "Relu Mul Add Add"),
    ],
)  # fmt: skip
def test_of_constant_arithmetic(body: str, operators: str, opset: int) -> None:
    folded = merged(f"{TOKENS} {{ {body} }}", C, opset=opset, x=(2, 5, 4), k=(2, 5, 4))
    assert folded.operators == operators.split()


@pytest.mark.parametrize(
    ("body", "operators"),
    [
        ("a = Mul(r, s) y = BN(a, p)", "Relu BatchNormalization"),
        ("a = BN(r, p) y = Mul(a, s)", "Relu BatchNormalization"),
        ("a = Mul(r, l) y = BN(a, p)", "Relu Mul BatchNormalization"),  # along another axis
        ("a = BN(r, p) y = Mul(a, l)", "Relu BatchNormalization Mul"),
    ],
)
def test_a_batch_norm_takes_what_lies_along_its_channels(body: str, operators: str) -> None:
    text = f"(float[2, 4, 5, 3] x) => (float[2, 4, 5, 3] y) {{ r = Relu(x) {body} }}"
    assert merged(text, IMAGE, x=(2, 4, 5, 3)).operators == operators.split()


def test_the_statistics_of_a_batch_norm_are_those_of_what_it_reads() -> None:
    text = """(float[2, 4, 5, 3] x) => (float[2, 4, 5, 3] y) {
        r = Relu(x) a = Mul(r, s) y = BN(a, p) }"""
    folded = merged(text, IMAGE, x=(2, 4, 5, 3))
    scale = IMAGE["s"].reshape(-1)
    mean, variance = (folded.constant("BatchNormalization", i) for i in (3, 4))
    np.testing.assert_allclose(mean, IMAGE["pm"] / scale, rtol=1e-6)
    np.testing.assert_allclose(variance, IMAGE["pv"] / scale**2, rtol=1e-6)


def test_a_batch_norm_whose_scale_is_stored_in_integers_keeps_it() -> None:
    text = """(float[2, 4, 5, 3] x) => (float[2, 4, 5, 3] y) { r = Relu(x) a = Mul(r, s)
        g = DequantizeLinear(q, u) y = BatchNormalization(a, g, pb, pm, pv) }"""
    stored = {"q": np.int8([3, -2, 1, 4]), "u": np.float32(0.25)}
    folded = merged(text, IMAGE | stored, x=(2, 4, 5, 3))
    assert folded.operators == ["Relu", "Mul", "DequantizeLinear", "BatchNormalization"]
