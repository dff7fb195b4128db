"""Einsum and products of run-time matrices: a scale goes into the factor that has its axis."""

from __future__ import annotations

import numpy as np
import pytest

from tests.fold.property.oracle import kinds_of
from tests.fold.property.text_models import Array, fold_checked, model, norm, verdicts, weight

CONSTANTS: dict[str, Array] = {
    **{name: weight(6, 6, seed=i) for i, name in enumerate(("q", "k", "v", "o"))},
    "columns": np.abs(weight(6, seed=5)) + 0.5,
    "rows": np.abs(weight(5, 1, seed=6)) + 0.5,
    **norm("n", 6, signs=True),
}
ATTENTION = (
    "(float[N,5,6] x) => (float y) {{ a = MatMul(x, q) b = MatMul(x, k) c = MatMul(x, v) "
    "t = Transpose<perm = [0, 2, 1]>(b) d = MatMul(a, t) {} y = Sigmoid(z) }}"
)
BEHIND = "u = Transpose<perm = [0, 2, 1]>(m) f = BN(u, n) z = Transpose<perm = [0, 2, 1]>(f)"
BIASED = "e = Add(c, columns) "


@pytest.mark.parametrize(
    ("text", "goes"),
    [
        ("p = Softmax(d) m = MatMul(p, c) z = Mul(m, columns)", True),
        ("p = Softmax(d) s = Mul(c, columns) m = MatMul(p, s) z = MatMul(m, o)", True),
        ("p = Softmax(d) m = MatMul(p, c) z = Mul(m, rows)", False),  # a Softmax takes no scale
        ("p = Softplus(d) m = MatMul(p, c) z = Add(m, columns)", False),
    ],
)
def test_a_scale_per_column_reaches_the_values_of_an_attention(text: str, goes: bool) -> None:
    result = fold_checked(model(ATTENTION.format(text), CONSTANTS), x=(2, 5, 6))
    assert (not {"Mul", "Add"} & set(kinds_of(result))) == goes


@pytest.mark.parametrize(
    ("text", "opset", "goes"),
    [
        ("p = Softmax(d) m = MatMul(p, e)", 18, True),
        ("p = Softmax(d) m = Einsum<equation = \"bqk,bkd->bqd\">(p, e)", 18, True),
        ("p = Softmax<axis = 1>(d) m = MatMul(p, e)", 18, False),  # its columns sum to 1
        ("p = Softmax<axis = 2>(d) m = MatMul(p, e)", 12, True),
        ("p = Softmax<axis = 1>(d) m = MatMul(p, e)", 12, False),  # over both axes at once
        ("p = Sigmoid(d) m = MatMul(p, e)", 18, False),
        ("s = Softmax(d) p = Relu(s) m = MatMul(p, e)", 18, False),  # nobody looks so far
    ],
)  # fmt: skip
def test_a_shift_reaches_the_values_where_the_rows_of_a_softmax_sum_to_1(
    text: str, opset: int, goes: bool
) -> None:
    whole = ATTENTION.format(BIASED + text + " " + BEHIND)
    result = fold_checked(model(whole, CONSTANTS, opset=opset), x=(2, 5, 6))
    assert ("BatchNormalization" not in kinds_of(result)) == goes


def test_a_shift_of_the_values_comes_out_behind_a_softmax() -> None:
    text = "s = Add(x, columns) p = Softmax(d) m = MatMul(p, s) z = MatMul(m, o)"
    body = ATTENTION.format(text).replace("MatMul(x, v)", "Identity(x)")
    biased = body.replace("z = MatMul(m, o)", "g = MatMul(m, o) z = Add(g, columns)")
    result = fold_checked(model(biased, CONSTANTS), x=(2, 5, 6))
    assert kinds_of(result).count("Add") == 1  # the bias of the last product


def test_a_scale_per_row_goes_into_the_first_factor() -> None:
    text = "(float[N,5,6] x) => (float y) { a = MatMul(x, q) b = MatMul(rows_in, x) "
    text += "t = Transpose<perm = [0, 2, 1]>(a) m = MatMul(t, b) z = Mul(m, r6) y = Sigmoid(z) }"
    constants = {"q": CONSTANTS["q"], "rows_in": weight(5, 5), "r6": weight(6, 1, seed=3)}
    result = fold_checked(model(text, constants), x=(2, 5, 6))
    assert "Mul" not in kinds_of(result)


EINSUMS = {
    # (the graph from x [N, 4, 5, 3] to z, what stays of it, or the code)
    "weight-right": ('a = Einsum<equation = "bchw,co->bohw">(x, w) z = BN(a, n)', "Einsum Add"),
    "weight-left": ('a = Einsum<equation = "oc,bchw->bohw">(u, x) z = BN(a, n)', "Einsum Add"),
    "implicit": ('a = Einsum<equation = "zcyx,co">(x, w) t = Transpose<perm = [3, 0, 1, 2]>(a) '
                 "z = BN(t, n)", "Einsum Transpose Add"),
    "ellipsis": ("t = Transpose<perm = [0, 2, 3, 1]>(x) "
                 'a = Einsum<equation = "...c,co->...o">(t, w) z = Mul(a, six)',
                 "Transpose Einsum"),
    "batched-weight": ('a = Einsum<equation = "bchw,cwo->bcho">(x, each) z = BN(a, four)',
                       "Einsum Add"),
    "summed-forward": ('b = BN(x, four) a = Einsum<equation = "bchw,co->bohw">(b, w) '
                       "z = Add(a, col)", "Einsum Add"),
    "kept-forward": ('b = BN(x, four) a = Einsum<equation = "bchw,wo->bcho">(b, last) '
                     "z = Conv(a, next)", "BatchNormalization Einsum Conv"),
    "kept-forward-scale": ('b = Mul(x, s4) a = Einsum<equation = "bchw,wo->bcho">(b, last) '
                           "z = Conv(a, next)", "Einsum Conv"),
    "added-up": ('c = Conv(x, next) a = Einsum<equation = "bchw->bc">(c) z = Mul(a, c4)',
                 "Conv Einsum"),
    "added-up-shift": ('c = Conv(x, next) a = Einsum<equation = "bchw->bc">(c) z = BN(a, four)',
                       "Conv Einsum BatchNormalization"),
    "three": ('c = Conv(x, next) a = Einsum<equation = "bchw,co,ow->boh">(c, w, last6) '
              "z = Mul(a, o6)", "Conv Einsum"),
    "product": ('c = Conv(x, next) a = Einsum<equation = "bchw,bchw->bchw">(c, x) z = Mul(a, s4)',
                "Conv Einsum"),
    "diagonal": ('c = Conv(x, next) d = MatMul(c, square) a = Einsum<equation = "bchh->bch">(d) '
                 "z = BN(a, four)", "Conv MatMul Einsum BatchNormalization"),
}  # fmt: skip
QUICK = ("weight-right", "kept-forward", "added-up-shift", "diagonal")


@pytest.mark.parametrize(
    "name",
    [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in EINSUMS],
)
def test_an_einsum_by_a_constant_is_a_matrix_product(name: str) -> None:
    text, kept = EINSUMS[name]
    constants: dict[str, Array] = {
        "w": weight(4, 6), "u": weight(6, 4), "each": weight(4, 3, 2), "last": weight(3, 2),
        "last6": weight(6, 3), "next": weight(4, 4, 1, 1), "square": weight(3, 5),
        "six": weight(6) + 3, "col": weight(1, 6, 1, 1), "s4": np.abs(weight(4, 1, 1)) + 1,
        "c4": weight(4) + 3, "o6": weight(6, 1) + 3,
        **norm("n", 6, signs=True), **norm("four", 4, signs=True),
    }  # fmt: skip
    body = f"(float[N,4,5,3] x) => (float y) {{ {text} y = Sigmoid(z) }}"
    result = fold_checked(model(body, constants), x=(2, 4, 5, 3))
    assert kinds_of(result) == [*kept.split(), "Sigmoid"], verdicts(result)


@pytest.mark.parametrize(
    "tail",
    [
        "t = ReduceSum<keepdims = 0>(b, last) y = MatMul(t, six)",
        'y = Conv<auto_pad = "SAME_UPPER">(b, taps)',
        "y = Conv<pads = [1, 1, 1, 1]>(b, taps)",
    ],
)
@pytest.mark.parametrize("allow", [(), ("all",)])
def test_what_einsum_repeats_has_the_size_of_the_run(tail: str, allow: tuple[str, ...]) -> None:
    """x has one column, and the constant five: so has y, whatever shape inference says."""
    constants = {
        "five": weight(5, seed=7),
        "last": np.array([2, 3]),
        "six": weight(6, 2, seed=8),
        "taps": weight(2, 6, 3, 3, seed=9),
        **norm("n", 6),
    }
    text = f'e = Einsum<equation = "nchw,w->nchw">(x, five) b = BN(e, n) {tail}'
    fold_checked(
        model(f"(float[N,6,4,1] x) => (float y) {{ {text} }}", constants),
        x=(2, 6, 4, 1),
        allow=allow,
    )
