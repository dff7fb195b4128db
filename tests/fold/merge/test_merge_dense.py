"""Gemm and MatMul by constant matrices: side by side, and one after the other."""

from __future__ import annotations

import numpy as np
import pytest
from onnx.reference import ReferenceEvaluator

import bnfold
from tests.fold.merge.merging import bias, merged, model, norm, weight

W = {"v": weight(5, 4, seed=1), "w": weight(4, 3, seed=2), "a": bias(4), "b": bias(3, seed=12)}
T = {"vt": weight(4, 5, seed=1), "wt": weight(3, 4, seed=2)}


def _rows(body: str, cin: int = 5, cout: int = 3) -> str:
    return f"(float[N, {cin}] x) => (float[N, {cout}] y) {{ {body} }}"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Gemm(x, v, a)", "Gemm(m, w, b)"),
        ("Gemm<transB = 1>(x, vt, a)", "Gemm<transB = 1>(m, wt, b)"),
        ("Gemm<alpha = 0.5, beta = 3.0>(x, v, a)", "Gemm<alpha = -2.0, beta = 0.25>(m, w, b)"),
        ("Gemm(x, v)", "Gemm(m, w)"),
        ("Gemm(x, v, one)", "Gemm(m, w, row)"),
        ("Gemm(x, v, a)", "MatMul(m, w)"),
        ("MatMul(x, v)", "Gemm(m, w, b)"),
        ("MatMul(x, v)", "Gemm(m, w)"),
    ],
)
def test_products_one_after_the_other(first: str, second: str) -> None:
    constants = W | T | {"one": bias(1), "row": bias(3).reshape(1, 3)}
    folded = merged(_rows(f"m = {first} y = {second}"), constants, x=(6, 5))
    assert folded.operators == ["Gemm"]


@pytest.mark.parametrize("inputs", ["x, v, a", "x, v"])
def test_the_first_may_be_transposed(inputs: str) -> None:
    text = (
        f"(float[5, N] x) => (float[N, 3] y) {{ m = Gemm<transA = 1>({inputs}) y = MatMul(m, w) }}"
    )
    assert merged(text, W, x=(5, 6)).operators == ["Gemm"]


def test_an_addend_of_one_number_for_each_of_as_many_rows_as_columns() -> None:
    text = "(float[3, 5] x) => (float[3, 3] y) { m = Gemm(x, v, a) y = Gemm(m, w, column) }"
    folded = merged(text, W | {"column": bias(3).reshape(3, 1)}, x=(3, 5))
    assert folded.operators == ["Gemm", "Gemm"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Gemm(x, v, a)", "Gemm<transA = 1>(m, q)"),
        ("Gemm(x, v, column)", "Gemm(m, w)"),
        ("Gemm(x, v, a)", "Gemm(m, w, full)"),
        ("Gemm(x, k, a)", "Gemm(m, w)"),
    ],
)
def test_addends_that_differ_from_row_to_row_and_run_time_matrices(first: str, second: str) -> None:
    text = f"(float[6, 5] x, float[5, 4] k) => (float[P, 3] y) {{ m = {first} y = {second} }}"
    constants = W | {"column": bias(6).reshape(6, 1), "full": weight(6, 3), "q": weight(6, 3)}
    folded = merged(text, constants, x=(6, 5), k=(5, 4))
    assert folded.operators == ["Gemm", "Gemm"]


@pytest.mark.parametrize("shape", [(5,), (2, 5), (2, 3, 5), (2, 2, 3, 5)])
@pytest.mark.parametrize("between", ["m = MatMul(x, v)", "n = MatMul(x, v) m = Add(a, n)"])
@pytest.mark.parametrize("behind", ["y = MatMul(m, w)", "o = MatMul(m, w) y = Add(o, b)"])
def test_a_linear_layer_behind_a_linear_layer(
    shape: tuple[int, ...], between: str, behind: str
) -> None:
    """The exporter writes a Linear on [N, L, C] as MatMul and Add; two of them are one."""
    names = "ABCDE"[: len(shape) - 1]
    dims = ", ".join([*names, ""])
    text = f"(float[{dims}5] x) => (float[{dims}3] y) {{ {between} {behind} }}"
    folded = merged(text, W, x=shape)
    has_bias = "Add" in between + behind
    expected = (["Gemm"], ["MatMul", "Add"]) if has_bias else (["MatMul"],)
    assert folded.operators in expected


def test_a_batch_norm_between_two_linear_layers() -> None:
    text = _rows("m = Gemm(x, v, a) n = BN(m, p) y = Gemm(n, w, b)")
    assert merged(text, W | norm("p", 4, signs=True), x=(6, 5)).operators == ["Gemm"]


def test_a_bottleneck_stays() -> None:
    """5 * 1 + 1 * 3 multiplications are less than 5 * 3: a low-rank layer is one on purpose."""
    constants = {"v": weight(5, 1), "w": weight(1, 3)}
    folded = merged(_rows("m = MatMul(x, v) y = MatMul(m, w)"), constants, x=(4, 5))
    assert folded.operators == ["MatMul", "MatMul"]


def test_a_matrix_on_the_left_stays() -> None:
    text = "(float[4, N] x) => (float[5, N] y) { m = MatMul(w, x) y = MatMul(v, m) }"
    constants = {"w": weight(4, 4), "v": weight(5, 4)}
    assert merged(text, constants, x=(4, 3)).operators == ["MatMul", "MatMul"]


@pytest.mark.parametrize(
    ("body", "operators"),
    [
        ("m = Gemm(x, v, a) n = Gemm<transB = 1, alpha = 0.5>(x, u) y = Sub(m, n)", ["Gemm"]),
        ("m = Gemm(x, v, a) y = Add(m, x)", ["Gemm"]),
        ("m = Gemm(x, v, a) n = BN(x, p) y = Sum(m, n, x, b)", ["Gemm"]),
        ("m = MatMul(x, v) n = MatMul(x, u) y = Add(m, n)", ["MatMul"]),
        ("m = MatMul(x, v) n = BN(x, p) y = Add(m, n)", ["Gemm"]),
        ("m = Gemm(x, v, k) n = Gemm(x, u, a) y = Add(m, n)", ["Gemm", "Gemm", "Add"]),
        ("m = Gemm<transA = 1>(x, v) n = Gemm(x, u) y = Add(m, n)", ["Gemm", "Gemm", "Add"]),
    ],
)
def test_products_of_one_value_that_are_added(body: str, operators: list[str]) -> None:
    text = f"(float[4, 4] x, float[1, 4] k) => (float[4, 4] y) {{ {body} }}"
    constants = {"v": weight(4, 4, seed=1), "u": weight(4, 4, seed=2), "a": bias(4)}
    constants |= norm("p", 4, signs=True) | {"b": bias(4, seed=13)}
    assert merged(text, constants, x=(4, 4), k=(1, 4)).operators == operators


def test_linear_layers_of_three_axes_that_are_added() -> None:
    """The biases stay behind, as a MatMul has none."""
    text = """(float[N, L, 4] x) => (float[N, L, 4] y) {
        m = MatMul(x, v) c = Add(m, a) n = MatMul(x, u) d = Add(n, b)
        s = Mul(x, g) e = Add(c, d) y = Add(e, s) }"""
    constants = {"v": weight(4, 4, seed=1), "u": weight(4, 4, seed=2), "g": bias(4, seed=14)}
    constants |= {"a": bias(4), "b": bias(4, seed=13)}
    folded = merged(text, constants, x=(2, 3, 4))
    assert folded.operators == ["MatMul", "Add"]
    np.testing.assert_array_equal(
        folded.constant("MatMul", 1),
        (
            constants["v"].astype(np.float64)
            + constants["u"]
            + np.diag(constants["g"].astype(float))
        ).astype(np.float32),
    )


@pytest.mark.parametrize(
    ("body", "left"),
    [
        ("a = Gemm<broadcast = 1>(x, w, e) y = Gemm<broadcast = 1>(a, v, b)", ["Gemm"]),
        ("a = Gemm<broadcast = 1>(x, w, e) y = MatMul(a, v)", ["Gemm"]),
        ("a = MatMul(x, w) y = Gemm<broadcast = 1, alpha = 0.5>(a, v, b)", ["Gemm"]),
        ("m = MatMul(x, w) a = Add<broadcast = 1>(m, e) y = MatMul(a, v)", ["Gemm"]),
    ],
)
def test_before_opset_7_what_is_broadcast_says_so(body: str, left: list[str]) -> None:
    """onnxruntime knows no such Gemm; onnx's own reference does."""
    constants = {"w": weight(3, 5), "e": weight(5, seed=1), "v": weight(5, 2, seed=2)}
    constants["b"] = weight(2, seed=3)
    built = model(f"(float[4, 3] x) => (float[4, 2] y) {{ {body} }}", constants, opset=6)
    result = bnfold.fold(built)
    assert [node.op_type for node in result.model.graph] == left
    x = weight(4, 3, seed=6)
    old, new = (ReferenceEvaluator(m).run(None, {"x": x})[0] for m in (built, result.to_proto()))
    np.testing.assert_allclose(new, old, rtol=0, atol=1e-5 * np.abs(old).max())


def test_before_opset_7_a_conv_over_all_of_space_too() -> None:
    body = "a = Conv(x, w) f = Flatten(a) y = Gemm<broadcast = 1>(f, v, b)"
    constants = {"w": weight(5, 2, 3), "v": weight(5, 2, seed=2), "b": weight(2, seed=3)}
    built = model(f"(float[4, 2, 3] x) => (float[4, 2] y) {{ {body} }}", constants, opset=6)
    result = bnfold.fold(built)
    assert [node.op_type for node in result.model.graph] == ["Flatten", "Gemm"]
    x = weight(4, 2, 3, seed=6)
    old, new = (ReferenceEvaluator(m).run(None, {"x": x})[0] for m in (built, result.to_proto()))
    np.testing.assert_allclose(new, old, rtol=0, atol=1e-5 * np.abs(old).max())


def test_before_opset_7_a_bias_in_place_of_one_that_is_not_read_says_so() -> None:
    """The reference reads an addend of the product's own shape with beta = 0."""
    body = "a = Gemm<beta = 0.0>(x, v, z) y = Add<broadcast = 1>(a, b)"
    constants = {"v": weight(3, 2), "z": weight(4, 2, seed=5), "b": weight(2, seed=3)}
    built = model(f"(float[4, 3] x) => (float[4, 2] y) {{ {body} }}", constants, opset=6)
    result = bnfold.fold(built)
    assert [node.op_type for node in result.model.graph] == ["Gemm"]
    x = weight(4, 3, seed=6)
    (y,) = ReferenceEvaluator(result.to_proto()).run(None, {"x": x})
    np.testing.assert_allclose(y, x @ constants["v"] + constants["b"], rtol=0, atol=1e-5)
