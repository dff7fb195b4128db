"""A product of two run-time matrices takes a scale into the factor that has its axis."""

from __future__ import annotations

import numpy as np
import pytest

from tests.fold.property.oracle import kinds_of
from tests.fold.property.text_models import Array, fold_checked, model, weight

CONSTANTS: dict[str, Array] = {
    **{name: weight(6, 6, seed=i) for i, name in enumerate(("q", "k", "v", "o"))},
    "columns": np.abs(weight(6, seed=5)) + 0.5,
    "rows": np.abs(weight(5, 1, seed=6)) + 0.5,
}
ATTENTION = (
    "(float[N,5,6] x) => (float y) {{ a = MatMul(x, q) b = MatMul(x, k) c = MatMul(x, v) "
    "t = Transpose<perm = [0, 2, 1]>(b) d = MatMul(a, t) p = Softmax(d) {} y = Sigmoid(z) }}"
)


@pytest.mark.parametrize(
    ("text", "goes"),
    [
        ("m = MatMul(p, c) z = Mul(m, columns)", True),
        ("s = Mul(c, columns) m = MatMul(p, s) z = MatMul(m, o)", True),
        ("m = MatMul(p, c) z = Mul(m, rows)", False),  # rows of a Softmax take no scale
        ("m = MatMul(p, c) z = Add(m, columns)", False),
    ],
)
def test_a_scale_per_column_reaches_the_values_of_an_attention(text: str, goes: bool) -> None:
    result = fold_checked(model(ATTENTION.format(text), CONSTANTS), x=(2, 5, 6))
    assert (not {"Mul", "Add"} & set(kinds_of(result))) == goes


def test_a_scale_per_row_goes_into_the_first_factor() -> None:
    text = "(float[N,5,6] x) => (float y) { a = MatMul(x, q) b = MatMul(rows_in, x) "
    text += "t = Transpose<perm = [0, 2, 1]>(a) m = MatMul(t, b) z = Mul(m, r6) y = Sigmoid(z) }"
    constants = {"q": CONSTANTS["q"], "rows_in": weight(5, 5), "r6": weight(6, 1, seed=3)}
    result = fold_checked(model(text, constants), x=(2, 5, 6))
    assert "Mul" not in kinds_of(result)
