"""Quantised constants take a scale without rounding, whatever their levels and their blocks are."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper

from tests.fold.property.oracle import kinds_of
from tests.fold.property.text_models import Array, fold_checked, model, norm, verdicts, weight

LEVELS = {
    "int4": ml_dtypes.int4,
    "uint4": ml_dtypes.uint4,
    "int8": np.int8,
    "uint8": np.uint8,
    "float8": ml_dtypes.float8_e4m3fn,
}
TEXT = (
    "(float[N,8] x) => (float[N,6] y) {{ w = DequantizeLinear<{}>(q, c{}) a = MatMul(x, w) "
    "b = BN(a, n) y = Sigmoid(b) }}"
)


def levels(kind: str, *shape: int) -> Array:
    lowest = {"int4": -8, "int8": -7, "float8": -7}.get(kind, 0)
    found = np.random.default_rng(3).integers(lowest, 8, shape)
    found[:2] = lowest  # in every column and in every block of it
    return found.astype(LEVELS[kind])


def quantised(
    kind: str,
    scale: tuple[int, ...],
    attributes: str,
    *,
    zero: int | None = None,
    sign: bool = True,
) -> onnx.ModelProto:
    """A MatMul by a quantised [8, 6] matrix, and a batch norm with scales of both signs."""
    steps = np.random.default_rng(5).uniform(0.01, 0.03, scale).astype(np.float32)
    constants = {"q": levels(kind, 8, 6), "c": steps, **norm("n", 6, signs=sign)}
    if zero is not None:
        constants["z"] = np.full(scale, zero).astype(LEVELS[kind])
    text = TEXT.format(attributes, "" if zero is None else ", z")
    return model(text, constants, opset=21, ir_version=10)


@pytest.mark.parametrize(
    ("kind", "scale", "attributes", "zero"),
    [
        ("int4", (6,), "axis = 1", None),
        ("int4", (), "axis = 1", None),
        ("uint4", (6,), "axis = 1", 7),
        ("uint4", (), "axis = 1", 0),
        ("uint8", (6,), "axis = 1", 5),
        ("float8", (6,), "axis = 1", None),
        ("int8", (2, 6), "axis = 0, block_size = 4", 1),
        ("int4", (3, 6), "axis = 0, block_size = 3", None),
        ("uint4", (2, 6), "axis = 0, block_size = 4", 7),
    ],
)
def test_a_scale_per_column_goes_into_the_scales(
    kind: str, scale: tuple[int, ...], attributes: str, zero: int | None
) -> None:
    result = fold_checked(quantised(kind, scale, attributes, zero=zero), x=(3, 8))
    assert kinds_of(result) == ["DequantizeLinear", "Gemm", "Sigmoid"]
    stored = [numpy_helper.to_array(t) for t in result.to_proto().graph.initializer]
    assert any(t.shape == (8, 6) and t.dtype == LEVELS[kind] for t in stored)


@pytest.mark.parametrize(
    ("kind", "scale", "attributes", "zero", "code"),
    [
        ("uint8", (6,), "axis = 1", 0, "cannot-negate"),
        ("int8", (8, 3), "axis = 1, block_size = 2", 0, "quantised-axis"),
        ("int8", (8,), "axis = 0", 0, "quantised-axis"),
    ],
)
def test_what_cannot_be_had_without_rounding_is_refused(
    kind: str, scale: tuple[int, ...], attributes: str, zero: int, code: str
) -> None:
    (found,) = verdicts(
        fold_checked(quantised(kind, scale, attributes, zero=zero), x=(3, 8))
    ).values()
    assert code in found.split()
    assert "dynamic-weight" not in found.split()


def test_blocks_along_the_channels_take_a_scale_that_is_one_in_each() -> None:
    parsed = quantised("int8", (8, 3), "axis = 1, block_size = 2", zero=0)
    for tensor in parsed.graph.initializer:
        if tensor.name in ("ng", "nv"):
            pairs = np.repeat(
                np.array([1.5, -0.5, 2.0], np.float32) ** (2 - (tensor.name == "ng")), 2
            )
            tensor.CopyFrom(numpy_helper.from_array(pairs.astype(np.float32), tensor.name))
    assert "BatchNormalization" not in kinds_of(fold_checked(parsed, x=(3, 8)))


DEQUANTIZED = (
    "(uint8[2,4,3,3] x) => (float y) "
    "{{ d = DequantizeLinear<axis = 1>(x, c, z) {} y = Sigmoid(e) }}"
)
ONE: dict[str, Array] = {"c": np.array(0.05, np.float32), "z": np.array(128, np.uint8)}
EACH: dict[str, Array] = {
    "c": np.array([0.05, 0.02, 0.1, 0.03], np.float32),
    "z": np.array([128, 3, 9, 200], np.uint8),
}
FACTORS: dict[str, Array] = {
    "s": np.abs(weight(4, 1, 1)) + np.float32(0.1),
    "n": -np.abs(weight(4, 1, 1)) - np.float32(0.1),
    "rows": np.abs(weight(3, 1)) + np.float32(0.1),
    "w": weight(4, 4, 1, 1),
    "wq": np.random.default_rng(2).integers(-9, 9, (5, 4, 1, 1)).astype(np.int8),
    "wc": np.array(0.02, np.float32),
}


@pytest.mark.parametrize(
    ("text", "stored", "goes"),
    [
        ("e = Mul(d, s)", ONE, True),
        ("e = Mul(d, s)", EACH, True),
        ("t = Transpose<perm = [0, 2, 3, 1]>(d) r = Relu(t) u = Transpose<perm = [0, 3, 1, 2]>(r) "
         "e = Mul(u, s)", ONE, True),
        ("e = Mul(d, n)", ONE, False),  # a scale of a quantisation is positive
        ("e = Add(d, s)", ONE, False),  # a shift is not on its grid
        ("e = Mul(d, rows)", EACH, False),  # along another axis
        # runtimes make integer operators of these, which take one scale
        ("m = Mul(d, s) r = Relu(m) q = QuantizeLinear(r, c, z) e = DequantizeLinear(q, c, z)", ONE,
         False),
        ("m = Mul(d, s) v = DequantizeLinear(wq, wc) r = Relu(m) e = Conv(r, v)", ONE, False),
    ],
)  # fmt: skip
def test_a_scale_behind_a_dequantisation_becomes_its_scale(
    text: str, stored: dict[str, Array], goes: bool
) -> None:
    parsed = model(DEQUANTIZED.format(text), {**stored, **FACTORS})
    result = fold_checked(parsed, x=(2, 4, 3, 3))
    assert ("Mul" not in kinds_of(result) and "Add" not in kinds_of(result)) == goes


def test_a_constant_that_is_quantised_and_added_takes_a_scale_of_any_sign() -> None:
    constants = {
        "w": weight(4, 4, 1, 1),
        "q": np.random.default_rng(2).integers(-9, 9, (1, 4, 5, 5)).astype(np.int8),
        "c": np.array(0.02, np.float32),
        **norm("n", 4, signs=True),
    }
    text = (
        "(float[N,4,5,5] x) => (float y) { a = Conv(x, w) d = DequantizeLinear(q, c) s = Add(a, d) "
        "b = BN(s, n) y = Sigmoid(b) }"
    )
    result = fold_checked(model(text, constants), x=(2, 4, 5, 5))
    assert "BatchNormalization" not in kinds_of(result)
    kept = {t.data_type for t in result.to_proto().graph.initializer}
    assert TensorProto.INT8 in kept


@pytest.mark.parametrize(
    "text",
    [
        "r = Relu(a) m = MatMul(r, k) e = Mul(m, s)",  # a scale for each row goes into the rows
        "m = MatMul(v, a) e = Mul(m, one)",
        "b = BN(x, n) t = Transpose<perm = [0, 2, 1]>(b) m = MatMul(t, v) e = Add(m, k)",
        "r = Relu(a) b = BN(r, n) m = MatMul(v, b) e = Add(m, k)",
    ],
)
def test_a_matmul_by_a_constant_vector_is_one_by_a_thin_matrix(text: str) -> None:
    constants = {
        "w": weight(4, 4, 1),
        "v": weight(4, seed=4),
        "k": np.abs(weight(7, seed=5)) + np.float32(0.1),
        "s": np.abs(weight(4)) + np.float32(0.1),
        "one": np.array([2.5], np.float32),
        **norm("n", 4),
    }
    body = f"(float[N,4,7] x) => (float y) {{ a = Conv(x, w) {text} y = Sigmoid(e) }}"
    result = fold_checked(model(body, constants), x=(2, 4, 7))
    assert not {"Mul", "BatchNormalization"} & set(kinds_of(result))


QUANTISED_CONV = (
    "(float[N,3,H,W] x) => (float[N,4,P,Q] y) {{ u = QuantizeLinear(x, xs, xz) "
    "d = DequantizeLinear(u, xs, xz) w = DequantizeLinear<axis = 0>(q, c) "
    "b = DequantizeLinear<axis = 0>(i, e) a = Conv(d, w, b) y = {} }}"
)
STEPS = np.array([0.01, 0.02, 0.005, 0.03], np.float32)
BIAS = np.array([10, -200, 3000, 40], np.int32)
QUANTISED: dict[str, Array] = {
    "xs": np.array(0.05, np.float32),
    "xz": np.array(128, np.uint8),
    "q": np.random.default_rng(3).integers(-127, 128, (4, 3, 3, 3)).astype(np.int8),
    "c": STEPS,
    "i": BIAS,
    "e": STEPS * np.float32(0.05),
}


def test_a_quantised_bias_stays_so_where_the_new_one_is_on_its_grid() -> None:
    factors = np.array([0.5, -2, 3, 0.7], np.float32).reshape(4, 1, 1)
    parsed = model(QUANTISED_CONV.format("Mul(a, s)"), {**QUANTISED, "s": factors})
    stored = fold_checked(parsed, x=(2, 3, 6, 6)).to_proto().graph.initializer
    (bias,) = (numpy_helper.to_array(t) for t in stored if t.data_type == TensorProto.INT32)
    assert bias.tolist() == [10, 200, 3000, 40]


def test_a_quantised_bias_becomes_a_float_where_it_is_not() -> None:
    """Rounded to the grid anew it was off by 65 roundings of the original."""
    constants = {**QUANTISED, **norm("n", 4)}
    stored = fold_checked(model(QUANTISED_CONV.format("BN(a, n)"), constants), x=(2, 3, 6, 6))
    arrays = [numpy_helper.to_array(t) for t in stored.to_proto().graph.initializer]
    (bias,) = (x for x in arrays if x.dtype == np.float32 and x.shape == (4,) and (x < 0).any())
    g, b, m, v = (constants[f"n{k}"].astype(np.float64) for k in "gbmv")
    old = BIAS * constants["e"].astype(np.float64)
    exact = (old - m) * g / np.sqrt(v + np.float64(np.float32(1e-5))) + b
    np.testing.assert_allclose(bias, exact, rtol=2.0**-24)


MATRIX = "w = DequantizeLinear{attributes}(q, c{zero}) a = MatMul(x, w) e = Mul(a, s) y = Relu(e)"


def product(
    scale: tuple[int, ...], attributes: str = "", *, zero: bool = False, stack: bool = False
) -> onnx.ModelProto:
    """A product by an int8 matrix, and a scale for each column."""
    body = MATRIX.format(attributes=attributes, zero=", z" if zero else "")
    constants: dict[str, Array] = {
        "q": levels("int8", *((1, 8, 6) if stack else (8, 6))),
        "c": np.full(scale, 0.02, np.float32),
        "s": np.abs(weight(6)) + np.float32(0.1),
    }
    if zero:
        constants["z"] = np.zeros(scale, np.int8)
    return model(
        f"(float[N,5,8] x) => (float[N,5,6] y) {{ {body} }}", constants, opset=21, ir_version=10
    )


@pytest.mark.parametrize("zero", [True, False])
def test_a_zero_point_is_stored_where_one_was(zero: bool) -> None:
    """Runtimes make a kernel that rounds activations of one that has it."""
    result = fold_checked(product((), zero=zero), x=(2, 5, 8))
    assert kinds_of(result) == ["DequantizeLinear", "MatMul", "Relu"]
    assert len(result.model.graph.node(0).inputs) == 2 + zero


@pytest.mark.parametrize(
    ("scale", "attributes", "axis"),
    [((1,), "", -1), ((6,), "<axis = -1>", -1), ((6,), "<axis = 1>", 1), ((), "", 1)],
)
def test_scales_lie_along_the_axis_as_it_was_counted(
    scale: tuple[int, ...], attributes: str, axis: int
) -> None:
    """onnxruntime rounds activations where it is 1, and did not where a list had one scale."""
    result = fold_checked(product(scale, attributes), x=(2, 5, 8))
    assert kinds_of(result) == ["DequantizeLinear", "MatMul", "Relu"]
    assert result.model.graph.node(0).attributes["axis"].as_int() == axis


def test_a_stack_of_matrices_keeps_its_one_scale() -> None:
    """Of scales for each column of it onnxruntime makes an integer kernel that does not run."""
    result = fold_checked(product((), stack=True), x=(2, 5, 8))
    assert kinds_of(result) == ["DequantizeLinear", "MatMul", "Mul", "Relu"]


def test_a_quantised_vector_has_no_channels() -> None:
    parsed = model(
        "(float[N,5,8] x) => (float[N,5] y) "
        "{ w = DequantizeLinear(q, c) a = MatMul(x, w) b = BN(a, n) y = Sigmoid(b) }",
        {"q": levels("int8", 8), "c": np.array(0.02, np.float32), **norm("n", 5, signs=True)},
        opset=21,
        ir_version=10,
    )
    (found,) = verdicts(fold_checked(parsed, x=(2, 5, 8))).values()
    assert "quantised-axis" in found.split()
