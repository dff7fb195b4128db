"""Joins of run-time values: what passes them, what turns round, and what stays and why."""

from __future__ import annotations

import numpy as np
import pytest

import bnfold
from tests.fold.merge.merging import Array, Folded, merged, model, norm, weight
from tests.fold.property.oracle import kinds_of

_PER_CHANNEL = np.abs(weight(4, 1, 1, seed=5)) + np.float32(0.5)
C: dict[str, Array] = {
    "w": weight(4, 4, 1, 1),
    "v": weight(4, 4, 1, 1, seed=2),
    "o": weight(1, 4, 1, 1, seed=3),
    "k": _PER_CHANNEL,
    "j": _PER_CHANNEL + np.float32(1),
    "minus": -_PER_CHANNEL,
    "two": np.array(2, np.float32),
    "gap": _PER_CHANNEL * np.array([1, 0, 1, 1], np.float32).reshape(4, 1, 1),
    "c": weight(4, 1, 1, seed=7),
    "d": weight(4, 1, 1, seed=8),
    **norm("p", 4),
    **norm("q", 4, seed=9),
    **norm("n", 4, signs=True, seed=10),
    **norm("r", 4),
    **norm("t", 4, signs=True),
    **{name: np.zeros(4, np.float32) for name in ("rb", "rm", "tb", "tm")},  # they have no shift
    "size": np.array([2, 4, 3, 3]),
}


def _of(body: str) -> Folded:
    text = f"(float[2, 4, 3, 3] x, float[2, 4, 3, 3] z) => (float[] y) {{ {body} }}"
    return merged(text, C, x=(2, 4, 3, 3), z=(2, 4, 3, 3))


PASSES = {
    # forward
    "two-scales": ("f = Relu(x) g = Relu(z) a = BN(f, p) e = BN(g, q) s = Add(a, e) "
                   "y = Conv(s, w)", "Relu Relu BatchNormalization Add Conv"),
    "a-shift-and-a-batch-norm": ("f = Relu(x) g = Relu(z) a = Add(f, c) e = BN(g, p) "
                                 "s = Add(a, e) y = Conv(s, w)",
                                 "Relu Relu BatchNormalization Add Conv"),
    "two-shifts": ("f = Relu(x) g = Relu(z) a = Add(f, c) e = Sub(g, d) s = Sub(a, e) "
                   "y = Conv(s, w)", "Relu Relu Sub Conv"),
    "one-turns-round": ("f = Relu(x) e = Conv(z, v) a = Add(f, c) s = Add(a, e) y = Relu(s)",
                        "Relu Conv Add Relu"),
    "one-of-three": ("f = Relu(x) a = BN(f, p) e = Conv(z, v) h = Conv(z, v) g = Relu(h) "
                     "i = Conv(g, w) s = Sum(a, e, i) y = Conv(s, w)",
                     "Relu Conv Conv Relu Conv Sum Conv"),
    "a-factor": ("f = Relu(x) g = Sigmoid(z) e = Mul(g, minus) s = Mul(f, e) y = Conv(s, w)",
                 "Relu Sigmoid Mul Conv"),
    "what-is-divided": ("f = Relu(x) g = Exp(z) a = Mul(f, minus) s = Div(a, g) y = Conv(s, w)",
                        "Relu Exp Div Conv"),
    "what-divides": ("f = Relu(x) g = Exp(z) a = Mul(g, k) s = Div(f, a) y = Conv(s, w)",
                     "Relu Exp Div Conv"),
    "what-divides-below-0": ("f = Relu(x) g = Exp(z) a = Mul(g, minus) s = Div(f, a) "
                             "y = Conv(s, w)", "Relu Exp Mul Div Conv"),
    "a-batch-norm-that-divides": ("f = Relu(x) g = Exp(z) a = BN(g, r) s = Div(f, a) "
                                  "y = Conv(s, w)", "Relu Exp BatchNormalization Div Conv"),
    "no-turn-into-what-is-broadcast": ("f = Relu(x) e = Conv(z, o) a = Add(f, c) s = Add(a, e) "
                                       "y = Relu(s)", "Relu Conv Add Add Relu"),
    "behind-a-rectifier": ("f = Relu(x) g = Exp(z) a = Mul(g, k) h = Abs(a) s = Div(f, h) "
                           "y = Conv(s, w)", "Relu Exp Mul Abs Div Conv"),
    "the-larger": ("f = Relu(x) a = BN(f, p) s = Max(a, c) y = Conv(s, w)", "Relu Max Conv"),
    "the-larger-of-two": ("f = Relu(x) g = Relu(z) a = Mul(f, k) e = Mul(g, k) s = Max(a, e) "
                          "y = Conv(s, w)", "Relu Relu Max Conv"),
    "the-larger-of-three": ("f = Relu(x) g = Relu(z) a = Mul(f, k) e = Mul(g, k) "
                            "s = Max(a, c, e) y = Conv(s, w)", "Relu Relu Max Conv"),
    "the-larger-of-other-scales": ("f = Relu(x) g = Relu(z) a = Mul(f, k) e = Mul(g, j) "
                                   "s = Max(a, e) y = Conv(s, w)", "Relu Relu Mul Max Conv"),
    "the-smaller-of-a-negative": ("f = Relu(x) a = Mul(f, minus) s = Min(a, c) y = Conv(s, w)",
                                  "Relu Mul Min Conv"),
    "the-larger-beside-a-gap": ("f = Relu(x) a = Mul(f, gap) s = Max(a, c) y = Conv(s, w)",
                                "Relu Mul Max Conv"),
    # backward
    "into-both": ("a = Conv(x, w) e = Conv(z, v) s = Add(a, e) y = BN(s, n)", "Conv Conv Add"),
    "into-one-of-a-product": ("a = Conv(x, w) f = Relu(z) s = Mul(a, f) y = Mul(s, minus)",
                              "Conv Relu Mul"),
    "into-the-other-of-a-product": ("a = Conv(x, w) f = Relu(z) s = Mul(f, a) y = Mul(s, minus)",
                                    "Conv Relu Mul"),
    "into-a-constant-among-three": ("a = Conv(x, w) e = Conv(z, v) s = Sum(a, e, two) "
                                    "y = BN(s, p)", "Conv Conv Sum"),
    "into-what-is-divided": ("a = Conv(x, w) f = Exp(z) s = Div(a, f) y = BN(s, t)",
                             "Conv Exp Div"),
    "into-what-divides": ("a = Conv(z, w) f = Relu(x) s = Div(f, a) y = BN(s, r)",
                          "Conv Relu Div"),
    "not-below-0-into-what-divides": ("a = Conv(z, w) f = Relu(x) s = Div(f, a) "
                                      "y = BN(s, t)", "Conv Relu Div BatchNormalization"),
    "by-itself": ("a = Conv(x, w) s = Div(a, a) y = BN(s, r)",
                  "Conv Div BatchNormalization"),
    "a-square": ("a = Conv(x, w) s = Mul(a, a) y = Mul(s, k)", "Conv Mul"),
    "into-all-of-a-maximum": ("a = Conv(x, w) e = Conv(z, v) s = Max(a, e) y = BN(s, p)",
                              "Conv Conv Max"),
    "negative-before-a-maximum": ("a = Conv(x, w) e = Conv(z, v) s = Max(a, e) y = Mul(s, minus)",
                                  "Conv Conv Max Mul"),
    "not-where-one-is-broadcast": ("a = Conv(x, w) e = Conv(z, o) s = Add(a, e) y = BN(s, p)",
                                   "Conv Conv Add BatchNormalization"),
    "a-maximum-of-one-broadcast": ("a = Conv(x, w) e = Conv(z, o) s = Max(a, e) y = BN(s, p)",
                                   "Conv Conv Max BatchNormalization"),
    "one-scale-for-a-broadcast": ("a = Conv(x, w) e = Conv(z, o) s = Add(a, e) y = Mul(s, two)",
                                  "Conv Conv Add"),
}  # fmt: skip


@pytest.mark.parametrize("name", PASSES)
def test_where_an_affine_goes(name: str) -> None:
    body, kept = PASSES[name]
    folded = _of(body)
    assert folded.result.ledger.bugs == ()
    assert folded.operators == kept.split()


def test_scales_of_two_axes_do_not_add_up() -> None:
    """By rows and, transposed, by columns."""
    text = """(float[4, 4] x) => (float[4, 4] y) {
        f = Relu(x) a = Mul(f, k) t = Transpose(a) s = Add(a, t) y = MatMul(s, m) }"""
    constants = {"k": C["k"].reshape(4, 1), "m": weight(4, 4)}
    folded = merged(text, constants, x=(4, 4))
    assert folded.operators == ["Relu", "Mul", "Transpose", "Add", "MatMul"]


@pytest.mark.parametrize(
    ("norm_behind", "operators"),
    [("BN(s, p)", "Conv MatMul Add BatchNormalization"), ("Mul(s, two)", "Conv MatMul Add")],
)
def test_a_branch_of_fewer_axes(norm_behind: str, operators: str) -> None:
    """It takes what is one number, and nothing that varies along an axis it does not have."""
    text = f"""(float[2, 4, 3, 3] x, float[3, 3] z) => (float[] y) {{
        a = Conv(x, w) e = MatMul(z, m) s = Add(a, e) y = {norm_behind} }}"""
    folded = merged(text, C | {"m": weight(3, 3)}, x=(2, 4, 3, 3), z=(3, 3))
    assert folded.operators == operators.split()


def test_what_divides_by_zeros_stays() -> None:
    text = """(float[2, 4, 3, 3] x) => (float[2, 4, 3, 3] y) {
        f = Relu(x) g = Exp(x) a = Mul(g, gap) s = Div(f, a) y = Conv(s, w) }"""
    result = bnfold.fold(model(text, C))
    assert kinds_of(result) == ["Relu", "Exp", "Mul", "Div", "Conv"]
    assert result.ledger.bugs == ()


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("a = Conv(x, w) s = Sub(a, a) y = BN(s, p)", "branches-cancel"),
        ("a = Conv(x, w) f = Relu(z) s = Mul(a, f) y = BN(s, p)", "shift-in-product"),
        ("a = Conv(x, w) s = Mul(a, a) y = BN(s, t)", "negative-scale"),
        ("a = Conv(x, o) f = Exp(z) s = Div(a, f) y = BN(s, t)", "negative-scale"),
        ("a = Conv(x, w) f = Conv(z, v) s = Max(a, f) y = BN(s, n)", "negative-scale"),
    ],
)
def test_why_it_stays(body: str, code: str) -> None:
    (entry,) = _of(body).result.ledger.decisions
    assert code in {refusal.code for refusal in entry.refusals}
