"""Somebody else reads the tensor: a second operator, the caller, a body of control flow."""

from __future__ import annotations

import numpy as np
import pytest

from tests.fold.property.oracle import kinds_of
from tests.fold.property.text_models import fold_checked, model, norm, verdicts, weight

X = {"x": (2, 4, 5, 5)}
PARAMETERS = {
    "w": weight(4, 4, 1, 1),
    "w2": weight(4, 4, 1, 1, seed=3),
    **norm("p", 4),
    **norm("q", 4, seed=5),
}


def _body(text: str, outputs: str = "float[N, 4, 5, 5] y") -> str:
    return f"(float[N, 4, 5, 5] x) => ({outputs}) {{ {text} }}"


TRAPS = {
    "conv-output-read-by-a-sigmoid": (
        _body("a = Conv(x, w) [bn] b = BN(a, p) s = Sigmoid(a) y = Add(b, s)"),
        {"bn": "other-reader"},
    ),
    "conv-output-is-a-graph-output": (
        _body("a = Conv(x, w) [bn] y = BN(a, p)", "float[N, 4, 5, 5] y, float[N, 4, 5, 5] a"),
        {"bn": "graph-output"},
    ),
    "two-batch-norms-of-one-conv": (
        _body(
            "a = Conv(x, w) [bn] b = BN(a, p) [bn2] c = BN(a, q) d = "
            "Sigmoid(b) e = Tanh(c) y = Add(d, e)"
        ),
        {"bn": "backward", "bn2": "other-reader"},
    ),
    "both-batch-norms-are-the-same": (
        _body(
            "a = Conv(x, w) [bn] b = BN(a, p) [bn2] c = BN(a, p) d = "
            "Sigmoid(b) e = Tanh(c) y = Add(d, e)"
        ),
        None,
    ),
    "batch-norm-of-the-input-with-a-second-reader": (
        _body("[bn] b = BN(x, p) a = Conv(b, w) s = Sigmoid(x) y = Add(a, s)"),
        {"bn": "forward"},
    ),
    "batch-norm-read-by-conv-and-sigmoid": (
        _body("[bn] b = BN(x, p) a = Conv(b, w) s = Sigmoid(b) y = Add(a, s)"),
        {"bn": "not-linear"},
    ),
    "batch-norm-read-by-two-convs": (
        _body("[bn] b = BN(x, p) a = Conv(b, w) c = Conv(b, w2) d = Sigmoid(c) y = Add(a, d)"),
        {"bn": "forward"},
    ),
    "batch-norm-read-by-two-convs-of-one-weight": (
        _body("[bn] b = BN(x, p) a = Conv(b, w) c = Conv(b, w) d = Sigmoid(c) y = Add(a, d)"),
        {"bn": "forward"},
    ),
    "batch-norm-read-by-conv-and-padded-conv": (
        _body(
            "[bn] b = BN(x, p) a = Conv(b, w) c = Conv<pads = [1, 1, 1, "
            "1]>(b, w3) d = Sigmoid(c) y = Add(a, d)"
        ),
        {"bn": "padded-shift"},
    ),
    "batch-norm-is-a-graph-output-and-read": (
        _body(
            "r = Sigmoid(x) [bn] b = BN(r, p) y = Conv(b, w)",
            "float[N, 4, 5, 5] y, float[N, 4, 5, 5] b",
        ),
        {"bn": "graph-output"},
    ),
    "batch-norm-is-a-graph-output-behind-a-conv": (
        _body(
            "a = Conv(x, w) [bn] b = BN(a, p) y = Sigmoid(b)",
            "float[N, 4, 5, 5] y, float[N, 4, 5, 5] b",
        ),
        {"bn": "backward"},
    ),
    "conv-output-read-by-shape-only": (
        """(float[N, 4, 5, 5] x) => (float[N, 4, 5, 5] y, int64[4] s) {
            a = Conv(x, w) [bn] y = BN(a, p) s = Shape(a) }""",
        {"bn": "backward"},
    ),
    "batch-norm-that-nobody-reads": (
        _body("a = Conv(x, w) [bn] b = BN(a, p) y = Sigmoid(x)"),
        None,
    ),
    "residual-around-the-batch-norm": (
        _body("a = Conv(x, w) [bn] b = BN(a, p) y = Add(a, b)"),
        {"bn": "backward"},
    ),
    "same-value-twice-in-the-add": (
        _body("a = Conv(x, w) s = Add(a, a) [bn] y = BN(s, p)"),
        None,
    ),
    "same-value-twice-in-the-product": (
        _body("a = Conv(x, w) s = Mul(a, a) [bn] y = BN(s, p)"),
        {"bn": "shift-in-product"},
    ),
    "batch-norm-in-a-diamond": (
        _body("a = Conv(x, w) [bn] b = BN(a, p) l = Relu(b) r = Conv(b, w2) y = Add(l, r)"),
        {"bn": "backward"},
    ),
    "shared-weight": (
        _body("a = Conv(x, w) [bn] b = BN(a, p) c = Conv(x, w) y = Add(b, c)"),
        {"bn": "backward"},
    ),
    "shared-bias-is-also-a-mean": (
        _body("a = Conv(x, w, pm) [bn] y = BN(a, p)"),
        {"bn": "backward"},
    ),
    "shared-parameters": (
        _body("a = Conv(x, w) [bn] b = BN(a, p) c = Conv(b, w2) [bn2] y = BN(c, p)"),
        {"bn": "backward", "bn2": "backward"},
    ),
    "same-tensor-for-all-parameters": (
        _body("a = Conv(x, w) [bn] y = BatchNormalization(a, pv, pv, pv, pv)"),
        {"bn": "backward"},
    ),
    "weight-is-a-graph-output": (
        """(float[N, 4, 5, 5] x) => (float[N, 4, 5, 5] y, float[4, 4, 1, 1] w) {
            a = Conv(x, w) [bn] y = BN(a, p) }""",
        {"bn": "backward"},
    ),
    "weight-is-read-at-run-time": (
        _body("a = Conv(x, w) [bn] b = BN(a, p) r = ReduceMax(w) y = Mul(b, r)"),
        {"bn": "backward"},
    ),
    "weight-is-the-data-of-another-operator": (
        _body("a = Conv(x, w) [bn] b = BN(a, p) e = Sigmoid(w) c = Conv(b, e) y = Relu(c)"),
        {"bn": "backward"},
    ),
}


@pytest.mark.parametrize("name", TRAPS)
def test_second_reader(name: str) -> None:
    text, wanted = TRAPS[name]
    parameters = {**PARAMETERS, "w3": weight(4, 4, 3, 3)}
    result = fold_checked(model(text, parameters), **X)
    if wanted is not None:
        found = verdicts(result)
        for node, verdict in wanted.items():
            assert verdict in found[node].split(), found


def test_slices_of_one_conv_get_their_own_batch_norms() -> None:
    text = _body(
        """a = Conv(x, w)
           l = Slice(a, zero, two, one) r = Slice(a, two, four, one)
           [bn] b = BN(l, p) [bn2] c = BN(r, q) y = Concat<axis = 1>(c, b)"""
    )
    numbers = {
        name: np.array([v]) for name, v in (("zero", 0), ("one", 1), ("two", 2), ("four", 4))
    }
    built = model(
        text, {"w": weight(4, 4, 1, 1), **norm("p", 2), **norm("q", 2, seed=5), **numbers}
    )
    result = fold_checked(built, **X)
    assert kinds_of(result) == ["Conv", "Slice", "Slice", "Concat"]


@pytest.mark.parametrize(("read", "left"), [("five", 1), ("four", 0)])
def test_overlapping_slices_of_one_conv_keep_a_batch_norm(read: str, left: int) -> None:
    """Both read channel 2; it is free where nobody reads what one of them makes of it."""
    text = _body(
        f"""a = Conv(x, w)
           l = Slice(a, zero, three, one) r = Slice(a, two, four, one)
           [bn] b = BN(l, p) [bn2] c = BN(r, q) d = Concat<axis = 1>(c, b)
           y = Slice(d, zero, {read}, one)""",
        "float[N, C, 5, 5] y",
    )
    numbers = {
        name: np.array([v])
        for v, name in enumerate(("zero", "one", "two", "three", "four", "five"))
    }
    built = model(
        text, {"w": weight(4, 4, 1, 1), **norm("p", 3), **norm("q", 2, seed=5), **numbers}
    )
    result = fold_checked(built, **X)
    assert kinds_of(result).count("BatchNormalization") == left
