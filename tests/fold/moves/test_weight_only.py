"""Of a product by a quantised weight that runs in floats no fold makes a kernel that rounds x."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest

import bnfold
from tests.fold.property.text_models import Array, model, norm, verdicts

KERNEL = "MatMulNBits"
# attributes of the DequantizeLinear and the shape of its scale
FORMS = {
    "one": ("", ()),
    "list": ("", (1,)),
    "list-0": ("axis = 0", (1,)),
    "list-behind": ("axis = -1", (1,)),
    "columns": ("axis = 1", (16,)),
    "columns-behind": ("axis = -1", (16,)),
    "blocks": ("axis = 0, block_size = 16", (2, 16)),
    "blocks-behind": ("axis = -2, block_size = 16", (2, 16)),
}
PRODUCTS = {
    "MatMul": "a = MatMul(x, w)",
    "Gemm": "a = Gemm(x, w)",
    "Gemm-bias": "a = Gemm(x, w, c)",
    "Gemm-beta": "a = Gemm<beta = 0.5>(x, w, c)",
    "Gemm-alpha": "a = Gemm<alpha = 0.5>(x, w)",
    "Gemm-one-bias": "a = Gemm(x, w, d)",
    "Gemm-row-bias": "a = Gemm(x, w, e)",
}


def quantised(
    product: str, form: str, *, dtype: type = np.int8, scale: str = "signs"
) -> onnx.ModelProto:
    """A product of [N, 32] by a quantised [32, 16], with a batch norm behind."""
    attributes, shape = FORMS[form]
    random = np.random.default_rng(0)
    constants: dict[str, Array] = {
        "q": random.integers(0, 100, (32, 16)).astype(dtype),
        "s": random.uniform(0.01, 0.03, shape).astype(np.float32),
        "c": random.normal(size=16).astype(np.float32),
        "d": np.ones(1, np.float32),
        "e": random.normal(size=(1, 16)).astype(np.float32),
        **norm("n", 16, signs=scale == "signs"),
    }
    if scale != "signs":
        constants |= {"nb": np.zeros(16, np.float32), "nm": np.zeros(16, np.float32)}
    if scale == "uniform":
        constants |= {"ng": np.full(16, 2, np.float32), "nv": np.ones(16, np.float32)}
    listed = f"<{attributes}>" if attributes else ""
    text = f"w = DequantizeLinear{listed}(q, s) {product} b = BN(a, n) y = Sigmoid(b)"
    outputs = "float[N, 16] y, float[N, 16] z" if "z =" in product else "float[N, 16] y"
    head = f"(float[N, 32] x) => ({outputs})"
    return model(f"{head} {{ {text} }}", constants, opset=21, ir_version=10)


def optimised(parsed: onnx.ModelProto, folder: Path) -> tuple[Counter[str], Array]:
    """The operators that onnxruntime runs, and what they compute."""
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.optimized_model_filepath = str(folder / "optimised.onnx")
    session = ort.InferenceSession(
        parsed.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    x = np.random.default_rng(1).normal(size=(5, 32)).astype(np.float32)
    written = onnx.load(options.optimized_model_filepath)
    return Counter(node.op_type for node in written.graph.node), session.run(None, {"x": x})[0]


def check(parsed: onnx.ModelProto, folder: Path) -> bnfold.fold.FoldResult:
    """No kernel more than before, and numbers that differ by rounding where there was none."""
    result = bnfold.fold(parsed)
    assert not result.ledger.bugs
    before, expected = optimised(parsed, folder)
    after, found = optimised(result.to_proto(), folder)
    assert after[KERNEL] <= before[KERNEL]
    if not before[KERNEL]:
        np.testing.assert_allclose(found, expected, rtol=0, atol=2e-6)
    return result


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("product", PRODUCTS)
def test_a_product_in_floats_stays_one(product: str, form: str, tmp_path: Path) -> None:
    result = check(quantised(PRODUCTS[product], form), tmp_path)
    assert verdicts(result) == {"b": "backward"}


@pytest.mark.parametrize("form", ["one", "list", "list-0", "list-behind"])
@pytest.mark.parametrize("product", ["MatMul", "Gemm"])
def test_one_number_for_all_leaves_one_scale_as_it_is_stored(
    product: str, form: str, tmp_path: Path
) -> None:
    result = check(quantised(PRODUCTS[product], form, scale="uniform"), tmp_path)
    assert verdicts(result) == {"b": "backward"}
    (scale,) = [
        tensor.dims
        for node in result.to_proto().graph.node
        for tensor in result.to_proto().graph.initializer
        if node.op_type == "DequantizeLinear" and tensor.name == node.input[1]
    ]
    assert tuple(scale) == FORMS[form][1]


@pytest.mark.parametrize("dtype", [np.uint8, np.int16])
def test_other_integers(dtype: type, tmp_path: Path) -> None:
    parsed = quantised(PRODUCTS["Gemm"], "list", dtype=dtype, scale="positive")
    assert verdicts(check(parsed, tmp_path)) == {"b": "backward"}


@pytest.mark.parametrize("form", ["one", "columns", "blocks"])
def test_a_weight_that_two_products_read_is_not_taken_from_one_of_them(
    form: str, tmp_path: Path
) -> None:
    """Of each alone onnxruntime makes the kernel; of two that share a weight it makes none."""
    shared = quantised("a = MatMul(x, w) z = MatMul(x, w)", form)
    assert "rounding-kernel" in next(iter(verdicts(check(shared, tmp_path)).values()))


def test_nor_where_the_other_product_reads_it_transposed(tmp_path: Path) -> None:
    """Optimisers take both transpositions away."""
    text = "a = MatMul(x, w) t = Transpose(w) z = Gemm<transB = 1>(x, t)"
    result = check(quantised(text, "columns"), tmp_path)
    assert "rounding-kernel" in next(iter(verdicts(result).values()))


def test_a_weight_is_taken_where_the_other_reader_is_no_product(tmp_path: Path) -> None:
    shared = quantised("a = MatMul(x, w) z = Softmax(w)", "columns")
    assert verdicts(check(shared, tmp_path)) == {"b": "backward"}


@pytest.mark.parametrize("form", ["one", "list", "list-0"])
@pytest.mark.parametrize("way", ["v = Identity(w)", "u = Transpose(w) v = Transpose(u)"])
def test_layouts_between_hide_nothing(form: str, way: str, tmp_path: Path) -> None:
    """Optimisers take them away."""
    check(quantised(f"{way} a = MatMul(x, v)", form, scale="positive"), tmp_path)
