"""Of a product by a quantised weight that runs in floats no fold makes a kernel that rounds x."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import ml_dtypes
import numpy as np
import numpy.typing as npt
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
# what the kernel does not take
OTHER_FORMS = {
    "blocks-of-8": ("axis = 0, block_size = 8", (4, 16)),
    "blocks-of-24": ("axis = 0, block_size = 24", (2, 16)),
    "blocks-of-columns": ("axis = 1, block_size = 16", (32, 1)),
}
PRODUCTS = {
    "MatMul": "a = MatMul(x, w)",
    "Gemm": "a = Gemm(x, w)",
    "Gemm-bias": "a = Gemm(x, w, c)",
    "Gemm-beta": "a = Gemm<beta = 0.5>(x, w, c)",
    "Gemm-alpha": "a = Gemm<alpha = 0.5>(x, w)",
    "Gemm-one-bias": "a = Gemm(x, w, d)",
    "Gemm-row-bias": "a = Gemm(x, w, e)",
    "Gemm-transposed": "t = Transpose(x) a = Gemm<transA = 1>(t, w)",
    "Gemm-transposed-copy": "t = Transpose(x) u = Identity(t) a = Gemm<transA = 1>(u, w)",
    "Gemm-of-transpose": "t = Transpose(x) u = Transpose(t) a = Gemm(u, w)",
}


def quantised(
    product: str,
    form: str,
    *,
    dtype: npt.DTypeLike = np.int8,
    scale: str = "signs",
) -> onnx.ModelProto:
    """A product of [N, 32] by a quantised [32, 16], a batch norm behind, and what follows a bar."""
    attributes, shape = (FORMS | OTHER_FORMS)[form]
    random = np.random.default_rng(0)
    constants: dict[str, Array] = {
        "q": random.integers(0, 100, (32, 16)).astype(dtype),
        "s": random.uniform(0.01, 0.03, shape).astype(np.float32),
        "c": random.normal(size=16).astype(np.float32),
        "d": np.ones(1, np.float32),
        "e": random.normal(size=(1, 16)).astype(np.float32),
        "rows": random.uniform(0.5, 2, (32, 1)).astype(np.float32),
        "half_of_each": np.full(16, 0.5, np.float32),
        "before": random.normal(size=(32, 32)).astype(np.float32) / 6,
        "behind": random.normal(size=(16, 16)).astype(np.float32) / 4,
        "zero": np.array([0]),
        "half": np.array([16]),
        "one": np.array([1]),
        "k": random.uniform(0.5, 2, 16).astype(np.float32),
        **norm("n", 16, signs=scale == "signs"),
    }
    if scale != "signs":
        constants |= {"nb": np.zeros(16, np.float32), "nm": np.zeros(16, np.float32)}
    if scale == "uniform":
        constants |= {"ng": np.full(16, 2, np.float32), "nv": np.ones(16, np.float32)}
    listed = f"<{attributes}>" if attributes else ""
    made, _, rest = product.partition(" | ")
    text = f"w = DequantizeLinear{listed}(q, s) {made} b = BN(a, n) {rest} y = Sigmoid(b)"
    outputs = "float[] y, float[] z" if "z =" in product else "float[] y"
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
@pytest.mark.parametrize(
    "other",
    [
        "z = MatMul(x, w)",
        "z = Gemm(x, w)",
        "z = Gemm(x, w, c)",
        "t = Transpose(x) z = Gemm<transA = 1>(t, w)",
    ],
)
def test_a_weight_that_two_products_read_is_not_taken_from_one_of_them(
    form: str, other: str, tmp_path: Path
) -> None:
    """Of each alone onnxruntime makes the kernel; of two that share a weight it makes none."""
    shared = quantised(f"a = MatMul(x, w) {other}", form)
    assert "rounding-kernel" in next(iter(verdicts(check(shared, tmp_path)).values()))


def test_nor_where_the_other_product_reads_it_transposed(tmp_path: Path) -> None:
    """Optimisers take both transpositions away."""
    text = "a = MatMul(x, w) t = Transpose(w) z = Gemm<transB = 1>(x, t)"
    result = check(quantised(text, "columns"), tmp_path)
    assert "rounding-kernel" in next(iter(verdicts(result).values()))


@pytest.mark.parametrize(
    "other",
    [
        "z = Softmax(w)",
        "t = Transpose(w) z = Softmax(t)",
        "z = Gemm<alpha = 0.5>(x, w)",
        "z = Gemm<beta = 0.5>(x, w, c)",
        "z = Gemm(x, w, d)",
        "z = Gemm(x, w, e)",
        "u = Slice(x, zero, half, one) z = Gemm<transB = 1>(u, w)",
    ],
)
@pytest.mark.parametrize("form", ["one", "columns", "blocks"])
def test_a_weight_is_taken_where_the_other_reader_becomes_no_such_product(
    other: str, form: str, tmp_path: Path
) -> None:
    shared = quantised(f"a = MatMul(x, w) {other}", form)
    assert verdicts(check(shared, tmp_path)) == {"b": "backward"}


@pytest.mark.parametrize(
    ("form", "dtype", "scale"),
    [
        ("columns", np.int16, "signs"),
        ("one", np.int32, "signs"),
        ("one", ml_dtypes.float8_e4m3fn, "signs"),
        ("columns-behind", np.int8, "signs"),
        ("list", np.int8, "uniform"),
        ("blocks-of-8", np.int8, "signs"),
        ("blocks-of-24", np.int8, "signs"),
        ("blocks-of-columns", np.int8, "uniform"),
    ],
)
@pytest.mark.parametrize(
    "other", ["z = MatMul(x, w)", "t = Transpose(x) u = Transpose(t) z = MatMul(u, w)"]
)
def test_a_weight_that_the_kernel_does_not_take_is_taken_from_one_of_two(
    form: str, dtype: npt.DTypeLike, scale: str, other: str, tmp_path: Path
) -> None:
    shared = quantised(f"a = MatMul(x, w) {other}", form, dtype=dtype, scale=scale)
    assert verdicts(check(shared, tmp_path)) == {"b": "backward"}


WAYS = ("v = Identity(w)", "u = Transpose(w) v = Transpose(u)")


@pytest.mark.parametrize("form", [*FORMS, "blocks-of-8", "blocks-of-24"])
@pytest.mark.parametrize("way", WAYS)
def test_layouts_between_hide_nothing(form: str, way: str, tmp_path: Path) -> None:
    """Optimisers take them away. One scale in a list is no form of the kernel's, a list is."""
    result = check(quantised(f"{way} a = MatMul(x, v)", form, scale="positive"), tmp_path)
    comes = form.startswith("list")
    assert ("rounding-kernel" in verdicts(result)["b"].split()) is comes
    assert (verdicts(result) == {"b": "backward"}) is not comes


@pytest.mark.parametrize("form", ["one", "columns", "blocks"])
@pytest.mark.parametrize(
    ("factor", "scale"), [("k", "positive"), ("rows", "positive"), ("half_of_each", "uniform")]
)
@pytest.mark.parametrize(
    "product",
    [
        "a = MatMul(x, m)",
        "a = Gemm(x, m)",
        "p = MatMul(x, m) a = MatMul(p, behind)",
        "p = MatMul(x, before) a = MatMul(p, m)",
    ],
)
def test_an_affine_between_stays(
    form: str, factor: str, scale: str, product: str, tmp_path: Path
) -> None:
    """Wherever it could go: without it the product would read the weight as it is."""
    text = f"v = Identity(w) m = Mul(v, {factor}) {product}"
    check(quantised(text, form, scale=scale), tmp_path)


@pytest.mark.parametrize(
    ("text", "dtype", "scale"),
    [
        ("a = MatMul(x, v)", np.int16, "positive"),
        ("a = MatMul(x, v)", np.int8, "uniform"),
        ("a = Identity(v) | z = Max(k, b)", np.int8, "positive"),
        (
            "a = Identity(v) | o = Slice(x, zero, half, one) t = Transpose(o) z = MatMul(b, t)",
            np.int8,
            "positive",
        ),
    ],
)
@pytest.mark.parametrize("way", WAYS)
def test_what_becomes_no_such_product_goes_through_layouts(
    text: str, dtype: npt.DTypeLike, scale: str, way: str, tmp_path: Path
) -> None:
    result = check(quantised(f"{way} {text}", "list", dtype=dtype, scale=scale), tmp_path)
    assert verdicts(result) == {"b": "backward"}
