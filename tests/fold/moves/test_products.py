"""A MatMul by a constant: what it takes of a scale and a shift, by its rank and its sizes."""

from __future__ import annotations

import numpy as np
import pytest

from tests.fold.merge.merging import merged
from tests.fold.property.oracle import kinds_of
from tests.fold.property.text_models import fold_checked, model, norm, verdicts, weight

C = {"w": weight(4, 6), "n": weight(4, 3), "v": weight(4), "u": weight(5), "W": weight(2, 4, 6)}
C |= {"c": weight(4, seed=1), "o": weight(1, seed=2), "h": weight(5, 1, seed=3)}
C |= {
    "k": weight(5, 5, 1),
    "m": weight(4, 4),
    **norm("p", 4),
    **norm("q", 5),
    **norm("f", 6, signs=True),
}


@pytest.mark.parametrize(
    ("shape", "body", "operators"),
    [
        # a vector leaves no axis to a Gemm
        ((5, 4), "a = MatMul(x, v) b = Add(a, o) y = Mul(b, o)", "MatMul Add"),
        ((5, 4), "r = Relu(x) a = Add(r, c) y = MatMul(a, v)", "Relu Add MatMul"),
        ((5, 4), "r = Relu(x) a = Add(r, h) y = MatMul(u, a)", "Relu Add MatMul"),
        # nor does a stack of matrices
        ((5, 4), "a = MatMul(x, W) b = Add(a, f) y = Mul(b, f)", "MatMul Add"),
        ((5, 4), "r = Relu(x) a = Add(r, c) y = MatMul(a, W)", "Relu Add MatMul"),
    ],
)
def test_where_a_shift_goes(shape: tuple[int, ...], body: str, operators: str) -> None:
    text = f"(float{list(shape)} x) => (float[] y) {{ {body} }}".replace(" f)", " fb)")
    folded = merged(text, C, x=shape)
    assert folded.operators == operators.split()


@pytest.mark.parametrize(
    ("body", "operators"),
    [
        ("r = Conv(x, k) a = MatMul(r, v) y = Mul(a, u)", "Conv MatMul"),
        ("r = MatMul(x, m) a = MatMul(u, r) y = Mul(a, v)", "MatMul MatMul"),
        ("r = Relu(x) a = Mul(r, h) b = MatMul(a, v) y = MatMul(b, i)", "Relu MatMul MatMul"),
        ("r = Relu(x) a = Mul(r, v) b = MatMul(u, a) y = MatMul(b, w)", "Relu MatMul MatMul"),
    ],
)
def test_a_scale_passes_the_product_with_a_vector(body: str, operators: str) -> None:
    text = f"(float[2, 5, 4] x) => (float[] y) {{ {body} }}"
    folded = merged(text, C | {"i": weight(5, 3)}, x=(2, 5, 4))
    assert folded.operators == operators.split()


@pytest.mark.parametrize("opset", [7, 13])
def test_with_a_shift_it_is_a_gemm(opset: int) -> None:
    text = "(float[5, 4] x) => (float[5, 6] y) { a = MatMul(x, w) y = BN(a, f) }"
    folded = merged(text, C, opset=opset, x=(5, 4))
    assert folded.operators == ["Gemm"]
    assert folded.attribute("Gemm", "broadcast") is None


def test_a_shift_along_the_rows_does_not_pass() -> None:
    text = """(float[2, 5, 4] x) => (float[2, 5, 6] y) {
        r = Conv(x, k) a = MatMul(r, w) y = BN(a, q) }"""
    folded = merged(text, C, x=(2, 5, 4))
    assert folded.operators == ["Conv", "MatMul", "BatchNormalization"]
    assert all("bug" not in v for v in verdicts(folded.result).values())


@pytest.mark.parametrize(
    ("opset", "shape", "product", "goes"),
    [
        (18, (2, 4, 5), "MatMul(t, n)", True),
        (18, (2, 4, 5), "MatMul(t, m)", True),  # as much
        (18, (2, 4, 5), "MatMul(t, w)", False),  # it makes more than it reads
        (18, (2, 4, 5), "MatMul(W, a)", True),
        (18, (5, 4), "MatMul(a, v)", False),  # a vector
        (18, (5, 4), "MatMul(v, t)", False),
        (7, (2, 4, 5), "MatMul(t, n)", True),
        (6, (2, 4, 5), "MatMul(t, n)", False),  # its Add would have to name an axis
    ],
)
def test_an_add_behind_it_stands_for_a_batch_norm(
    opset: int, shape: tuple[int, ...], product: str, goes: bool
) -> None:
    order, mode = list(range(len(shape))), "<is_test = 1>" if opset == 6 else ""
    order[-2:] = order[:-3:-1]
    text = f"""(float{list(shape)} x) => (float[] y) {{
        r = Relu(x) a = BN{mode}(r, p) t = Transpose<perm = {order}>(a) y = {product} }}"""
    result = fold_checked(model(text, C | {"W": weight(3, 4)}, opset=opset), x=shape)
    assert ("BatchNormalization" not in kinds_of(result)) == goes


def test_a_product_in_float16_gets_no_add() -> None:
    text = """(float16[2, 4, 5] x) => (float16[] y) {
        r = Relu(x) a = BN(r, p) y = MatMul(W, a) }"""
    halves = {name: C[name].astype(np.float16) for name in ("pg", "pb", "pm", "pv")}
    halves["W"] = weight(3, 4).astype(np.float16)
    result = fold_checked(model(text, halves), x=(2, 4, 5))
    assert kinds_of(result) == ["Relu", "BatchNormalization", "MatMul"]
