"""A node that decides the sign of a zero stays where something divides by it."""

from __future__ import annotations

import numpy as np
import pytest

import bnfold
from tests.fold.property.text_models import model
from tests.runtime_oracle import in_onnxruntime

_ONE, _ZERO = np.ones(3, np.float32), np.zeros(3, np.float32)
_NORM = {"g": _ONE, "s": _ZERO, "m": _ZERO, "v": _ONE - np.float32(1e-5)}
"""Nothing is scaled or shifted."""

_BN = "BatchNormalization<epsilon = 0.00001>"
_FEEDS = {
    "x": np.ones((2, 3), np.float32),
    "z": np.array([[0.0, 1.0, 2.0], [-0.0, 3.0, 0.0]], np.float32),
}


def _in(body: str, **constants: np.ndarray):
    return model(f"(float[2, 3] x, float[2, 3] z) => (float[2, 3] y) {{ {body} }}", constants)


def _is_kept(proto) -> bool:
    result = bnfold.fold(proto)
    before = in_onnxruntime(proto, _FEEDS)
    after = in_onnxruntime(bnfold.model_io.to_proto(result.model), _FEEDS)
    np.testing.assert_array_equal(before[0], after[0])
    return result.ledger.batch_norms_after == 1


@pytest.mark.parametrize(
    "body",
    [
        f"a = Mul(z, z) q = Neg(a) n = {_BN}(q, g, s, m, v) y = Div(x, n)",
        f"a = Mul(z, z) q = Neg(a) n = {_BN}(q, g, s, m, v) y = Reciprocal(n)",
        f"a = Mul(z, z) q = Neg(a) n = {_BN}(q, g, s, m, v) y = Pow(n, k)",
        f"a = Mul(z, z) q = Neg(a) n = {_BN}(q, g, s, m, v) r = Identity(n) y = Div(x, r)",
    ],
)
def test_a_batch_norm_that_changes_nothing_but_the_sign_of_a_zero(body):
    constants = {"k": np.float32(-1)} if "Pow" in body else {}
    assert _is_kept(_in(body, **_NORM, **constants))


def test_a_negative_factor_behind_a_batch_norm_is_not_taken_by_it():
    body = f"n = {_BN}(z, g, s, m, v) q = Mul(n, k) y = Div(x, q)"
    assert _is_kept(_in(body, **_NORM, k=-2 * _ONE))


@pytest.mark.parametrize(
    ("body", "shift"),
    [
        ("y = Sigmoid(n)", _ZERO),  # nobody divides
        ("e = Exp(n) y = Div(x, e)", _ZERO),  # what divides is above 0
        ("d = Div(n, c) y = Tanh(d)", _ZERO),  # it is what is divided
        ("y = Div(x, n)", _ONE),  # each zero is one of cancelling
    ],
)
def test_where_the_sign_of_a_zero_decides_nothing_it_folds(body, shift):
    constants = {**_NORM, "s": shift, "w": np.eye(3, dtype=np.float32)}
    constants |= {"c": 2 * _ONE} if "c)" in body else {}
    assert not _is_kept(_in(f"a = MatMul(z, w) n = {_BN}(a, g, s, m, v) {body}", **constants))


def test_the_reason_names_what_divides():
    body = f"a = Mul(z, z) q = Neg(a) n = {_BN}(q, g, s, m, v) y = Div(x, n)"
    (entry,) = bnfold.fold(_in(body, **_NORM)).ledger.decisions
    assert "may divide by it, and it decides the sign of what is x / 0" in str(entry)
