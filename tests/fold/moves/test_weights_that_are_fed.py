"""Where a weight, addend or bias is fed, or an affine arrives beside the data, each is told so."""

from __future__ import annotations

import pytest

from tests.fold.merge.merging import merged
from tests.fold.property.text_models import norm, weight

CONSTANTS = norm("p", 4, signs=True) | {"w": weight(4, 3), "c": weight(3), "s": weight(4)}
CONSTANTS |= {"W": weight(1, 5, 4), "R": weight(1, 5, 5), "B": weight(1, 10), **norm("h", 3)}
GEMM = "(float[3, 4] x, float[4, 3] k) => (float[3, 3] y) { r = Relu(x) BODY }"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("b = BN(r, p) y = Gemm(b, k, c)", "its weight is computed at run time"),
        ("q = Gemm(r, w) o = Relu(q) b = BN(o, h) y = Gemm(x, w, b)", "arrives at its weight or"),
    ],
)
def test_of_a_gemm(body: str, said: str) -> None:
    folded = merged(GEMM.replace("BODY", body), CONSTANTS, x=(3, 4), k=(4, 3))
    (kept,) = folded.result.ledger.kept
    assert any(said in refusal.sentence for refusal in kept.refusals)


def test_a_scale_in_front_of_a_gemm_leaves_its_addend() -> None:
    body = "b = Mul(r, s) y = Gemm(b, w, c)"
    folded = merged(GEMM.replace("BODY", body), CONSTANTS, x=(3, 4), k=(4, 3))
    assert folded.operators == ["Relu", "Gemm"]
    assert len(folded.node("Gemm").input) == 3


@pytest.mark.parametrize(("opset", "inputs"), [(10, 3), (11, 2)])
def test_an_addend_that_is_not_read_goes_where_a_gemm_needs_none(opset: int, inputs: int) -> None:
    text = "(float[3, 4] x) => (float[3, 3] y) { a = Gemm<beta = 0.0>(x, w, c) y = Mul(a, c) }"
    folded = merged(text, CONSTANTS, opset=opset, x=(3, 4))
    assert folded.operators == ["Gemm"]
    assert len(folded.node("Gemm").input) == inputs


@pytest.mark.parametrize(
    ("fed", "call", "shape", "said"),
    [
        ("1, F, G", "RNN<hidden_size = 5>(b, k, R, B)", (1, 5, 4), "its weight is computed"),
        ("1, F", "RNN<hidden_size = 5>(b, W, R, k)", (1, 10), "its bias is computed"),
    ],
)
def test_of_a_recurrent_layer(fed: str, call: str, shape: tuple[int, ...], said: str) -> None:
    text = f"""(float[2, 3, 4] x, float[{fed}] k) => (float[2, 1, 3, 5] y) {{
        r = Relu(x) t = Transpose<perm = [0, 2, 1]>(r) n = BN(t, p)
        b = Transpose<perm = [0, 2, 1]>(n) y, l = {call} }}"""
    folded = merged(text, CONSTANTS, x=(2, 3, 4), k=shape)
    (kept,) = folded.result.ledger.kept
    assert any(said in refusal.sentence for refusal in kept.refusals)
