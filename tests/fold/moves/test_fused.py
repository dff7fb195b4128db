"""What onnxruntime writes into optimised models is a Conv to a batch norm; a namesake is not."""

from __future__ import annotations

import numpy as np
import onnx
import onnx.parser
import pytest
from onnx import numpy_helper

from tests.fold.property.oracle import check_fold, kinds_of
from tests.fold.property.text_models import norm, weight

HEADER = '<ir_version: 8, opset_import: ["": 17, "com.microsoft": 1]> g'
CONSTANTS = {
    "w": weight(4, 3, 3, 3), "c": weight(4), "v": weight(4, 3, 1, 1), "u": weight(2, 4, 1, 1),
    **norm("n", 4), **{f"s{k[1:]}": v for k, v in norm("s", 4, signs=True).items()},
    **norm("i", 3, signs=True),
}  # fmt: skip
STILL = {"nb": np.zeros(4, np.float32), "nm": np.zeros(4, np.float32)}
FUSED = "com.microsoft.FusedConv"
BN = "BatchNormalization({0}, {1}g, {1}b, {1}m, {1}v)"


def built(text: str, functions: str = "") -> onnx.ModelProto:
    body = text
    for prefix in "nsi":
        for value in "abdrx":
            body = body.replace(f"BN({value}, {prefix})", BN.format(value, prefix))
    graph = f"(float[2,3,6,6] x) => (float[N,C,P,Q] y) {{ {body} }}"
    parsed = onnx.parser.parse_model(f"{HEADER} {graph} {functions}")
    for name, array in (CONSTANTS | STILL).items():
        parsed.graph.initializer.append(numpy_helper.from_array(array, name))
    return parsed


@pytest.mark.parametrize(
    ("text", "goes"),
    [
        (f"a = {FUSED}(x, w, c) b = BN(a, s) y = Sigmoid(b)", True),
        (f'a = {FUSED}<activation = "Relu">(x, w, c) b = BN(a, n) y = Sigmoid(b)', True),
        (f'a = {FUSED}<activation = "LeakyRelu", activation_params = [0.2]>(x, w) b = BN(a, n) '
         "y = Sigmoid(b)", True),
        (f'a = {FUSED}<activation = "Relu">(x, w, c) b = BN(a, s) y = Sigmoid(b)', False),
        (f'a = {FUSED}<activation = "Tanh">(x, w, c) b = BN(a, n) y = Sigmoid(b)', False),
        (f'd = Conv(x, v) a = {FUSED}<activation = "Relu">(x, v, c, d) b = BN(a, n) '
         "y = Sigmoid(b)", True),
        (f"d = Conv(x, v) a = {FUSED}(x, v, , d) b = BN(a, s) y = Sigmoid(b)", True),
        (f'b = BN(x, i) y = {FUSED}<activation = "Tanh">(b, w, c)', True),
        (f'r = Relu(x) b = BN(r, i) y = {FUSED}<activation = "Tanh">(b, w, c)', True),
        (f'b = BN(x, i) y = {FUSED}<activation = "HardSigmoid", activation_params = [0.2, 0.5]>'
         "(b, w, c)", True),
        (f'b = BN(x, i) y = {FUSED}<activation = "Clip", activation_params = [0.0, 6.0]>(b, w, c)',
         True),
        (f'r = Relu(x) b = BN(r, i) y = {FUSED}<pads = [1, 1, 1, 1]>(b, w, c)', False),
    ],
)  # fmt: skip
def test_a_fused_conv_takes_what_its_activation_allows(text: str, goes: bool) -> None:
    result = check_fold(built(text), [{"x": weight(2, 3, 6, 6, seed=5)}])
    assert ("BatchNormalization" not in kinds_of(result)) == goes


def test_a_function_of_that_name_is_what_it_says() -> None:
    """It bends: were it taken for a convolution, all would be wrong."""
    function = """<domain: "com.microsoft", opset_import: ["": 17]>
        FusedConv (x, w) => (y) { z = Conv(x, w) y = Sin(z) }"""
    parsed = built(f"a = {FUSED}(x, v) b = BN(a, n) y = Sigmoid(b)", function)
    result = check_fold(parsed, [{"x": weight(2, 3, 6, 6, seed=5)}])
    assert "BatchNormalization" in kinds_of(result)


@pytest.mark.parametrize(
    ("text", "goes"),
    [
        ('a = {G}(x, w, c) b = BN(a, n) y = Sigmoid(b)', True),
        ('a = {G}<activation = "Relu", alpha = 0.5, beta = 2.0>(x, w, c) '
         'b = BN(a, p) y = Sigmoid(b)', True),
        ('a = {G}<activation = "LeakyRelu", activation_alpha = 0.2, transB = 1>(x, v, c) '
         'b = BN(a, p) y = Sigmoid(b)', True),
        ('a = {G}<activation = "Relu">(x, w, c) b = BN(a, n) y = Sigmoid(b)', False),
        ('r = Tanh(x) b = BN(r, i) y = {G}<activation = "Sigmoid", alpha = 0.5>(b, w, c)', True),
        ('r = Tanh(x) b = BN(r, i) d = MatMul(r, w) y = {G}<activation = "Relu">(b, w, d)', False),
        ('a = {M}<alpha = 0.5>(x, w) b = BN(a, p) y = Sigmoid(b)', True),
        ('a = {M}<transB = 1>(x, v) b = BN(a, p) y = Sigmoid(b)', True),
        ('t = Transpose(x) a = {M}<transA = 1, alpha = 2.0>(t, w) '
         'b = BN(a, p) y = Sigmoid(b)', True),
        ('r = Tanh(x) b = BN(r, i) a = {M}<alpha = 0.5>(b, w) d = Add(a, c) y = Sigmoid(d)', True),
        ('r = Tanh(x) b = BN(r, i) t = Transpose(b) '
         'a = {M}<transA = 1, transB = 1, alpha = 0.5>(t, v) d = Add(a, c) y = Sigmoid(d)', True),
        ('t = Transpose(x) a = {M}<alpha = 0.5>(v, t) u = Transpose(a) '
         'b = BN(u, p) y = Sigmoid(b)', True),
        ('r = Tanh(x) b = BN(r, i) t = Transpose(b) a = {M}<transA = 1, alpha = 0.5>(w, t) '
         'd = Add(a, e) y = Sigmoid(d)', True),
        ('a = {M}(x, w) b = BN(a, n) y = Sigmoid(b)', True),
        ("z = MatMul(x, w) r = Relu(x) u = BN(r, i) a = {G}(u, w, z) y = Gemm(a, v)", True),
        ('z = MatMul(x, w) r = Relu(x) u = BN(r, i) a = {G}<activation = "Relu">(u, w, z) '
         "y = Gemm(a, v)", False),
    ],
)  # fmt: skip
def test_products_of_matrices_with_what_was_fused_into_them(text: str, goes: bool) -> None:
    """p shifts nothing; what n shifts becomes an Add, as a FusedMatMul has no bias."""
    body = text.replace("{G}", "com.microsoft.FusedGemm").replace(
        "{M}", "com.microsoft.FusedMatMul"
    )
    for prefix in "npi":
        for value in "aru":
            body = body.replace(f"BN({value}, {prefix})", BN.format(value, prefix))
    parsed = onnx.parser.parse_model(f"{HEADER} (float[5, 3] x) => (float[P, Q] y) {{ {body} }}")
    constants = {"w": weight(3, 4), "v": weight(4, 3), "c": weight(4), "e": weight(4, 1),
                 **norm("n", 4, signs=True), **norm("p", 4), **norm("i", 3, signs=True),
                 "pb": np.zeros(4, np.float32), "pm": np.zeros(4, np.float32)}  # fmt: skip
    for name, array in constants.items():
        parsed.graph.initializer.append(numpy_helper.from_array(array, name))
    result = check_fold(parsed, [{"x": weight(5, 3, seed=5)}])
    assert ("BatchNormalization" not in kinds_of(result)) == goes


@pytest.mark.parametrize("transposed", ["transB = 0", "transB = 1"])
def test_a_batch_of_matrices(transposed: str) -> None:
    """[2, 5, 3] by [2, 3, 4]: a scale along the columns goes into each."""
    shape = (2, 4, 3) if transposed.endswith("1") else (2, 3, 4)
    text = f"""(float[2, 5, 3] x) => (float[P, Q, R] y) {{
        a = com.microsoft.FusedMatMul<{transposed}, alpha = 0.5>(x, w) b = Mul(a, s)
        y = Sigmoid(b) }}"""
    parsed = onnx.parser.parse_model(f"{HEADER} {text}")
    for name, array in {"w": weight(*shape), "s": weight(4)}.items():
        parsed.graph.initializer.append(numpy_helper.from_array(array, name))
    assert "Mul" not in kinds_of(check_fold(parsed, [{"x": weight(2, 5, 3, seed=5)}]))


def test_behind_fused_products_sizes_are_known_and_their_add_is_a_bias() -> None:
    """Inference knows neither the size nor the type of what they make."""
    parsed = onnx.parser.parse_model(
        f"{HEADER} (float[2,5,3] x) => (float[A,B,C] y) {{"
        " a = com.microsoft.FusedMatMul<alpha = 0.5, transB = 1>(x, m)"
        " e = com.microsoft.FusedMatMul<transB = 1>(a, k) p = Add(e, c)"
        f" t = Transpose<perm = [0, 2, 1]>(p) b = {BN.format('t', 's')} y = Sigmoid(b) }}"
    )
    stored = CONSTANTS | {"m": weight(6, 3), "k": weight(4, 6)}
    for name in ("m", "k", "c", "sg", "sb", "sm", "sv"):
        parsed.graph.initializer.append(numpy_helper.from_array(stored[name], name))
    result = check_fold(parsed, [{"x": weight(2, 5, 3, seed=5)}])
    kinds = [kind for kind in kinds_of(result) if kind != "Transpose"]
    assert kinds == ["FusedMatMul", "FusedMatMul", "Add", "Sigmoid"]
