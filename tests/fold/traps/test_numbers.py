"""Numbers that go wrong: overflow, underflow, nothing to divide by, NaN; and dtypes that stay."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import onnx
import pytest

import bnfold
from tests.fold.property.oracle import kinds_of
from tests.fold.property.text_models import Array, fold_checked, model, norm, verdicts, weight

CONV_BN = "({d}[N, 3, 4, 4] x) => ({d}[N, 4, 4, 4] y) {{ a = Conv(x, w) [bn] y = BN{a}(a, p) }}"
SHAPE = (2, 3, 4, 4)
DTYPES = {
    "float16": np.float16,
    "float": np.float32,
    "double": np.float64,
    "bfloat16": ml_dtypes.bfloat16,
}


def _conv_bn(
    changes: dict[str, Array], dtype: str = "float", attributes: str = "", opset: int = 18
) -> onnx.ModelProto:
    parameters = {"w": weight(4, 3, 1, 1), **norm("p", 4), **changes}
    typed = {name: np.asarray(value).astype(DTYPES[dtype]) for name, value in parameters.items()}
    return model(CONV_BN.format(d=dtype, a=attributes), typed, opset=opset)


def _with(name: str, value: float, channel: int = 1) -> dict[str, Array]:
    array = norm("p", 4)[name].astype(np.float64)
    array[channel] = value
    return {name: array}


@pytest.mark.parametrize(
    ("dtype", "opset"), [("float16", 18), ("float", 18), ("double", 18), ("bfloat16", 22)]
)
def test_weight_keeps_its_dtype(dtype: str, opset: int) -> None:
    result = fold_checked(_conv_bn({}, dtype, opset=opset), x=SHAPE)
    assert verdicts(result) == {"bn": "backward"}
    stored = {t.data_type for t in result.to_proto().graph.initializer}
    assert stored == {onnx.TensorProto.DataType.Value(dtype.upper())}


@pytest.mark.parametrize("which", ["pg", "pb", "pm", "pv", "w"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_parameter_that_is_not_finite_stays(which: str, value: float) -> None:
    if which == "w":
        array = weight(4, 3, 1, 1)
        array[0, 0] = value
        changes: dict[str, Array] = {"w": array}
    else:
        changes = _with(which, value)
    found = verdicts(bnfold.fold(_conv_bn(changes)))["bn"].split()
    assert {"not-finite", "variance-not-positive", "overflow"} & set(found), found


@pytest.mark.parametrize("value", [-1e-5, -1.0, -2e-5])
def test_variance_that_is_not_positive_stays(value: float) -> None:
    """var + epsilon <= 0: the runtime gives infinity or NaN."""
    result = bnfold.fold(
        _conv_bn(_with("pv", value), attributes="<epsilon = 0.00001>", dtype="double")
    )
    assert "variance-not-positive" in verdicts(result)["bn"] or value == -1e-5


def test_epsilon_and_variance_of_zero_stay() -> None:
    result = bnfold.fold(_conv_bn(_with("pv", 0.0), attributes="<epsilon = 0.0>"))
    assert verdicts(result) == {"bn": "variance-not-positive"}


def test_slightly_negative_variance_folds_where_epsilon_outweighs_it() -> None:
    result = fold_checked(_conv_bn(_with("pv", -1e-4), attributes="<epsilon = 0.001>"), x=SHAPE)
    assert verdicts(result) == {"bn": "backward"}


def test_variance_of_zero_folds() -> None:
    """A dead channel: s = gamma / sqrt(epsilon) is large, and right."""
    assert verdicts(fold_checked(_conv_bn(_with("pv", 0.0)), x=SHAPE)) == {"bn": "backward"}


def test_gamma_of_zero_folds() -> None:
    result = fold_checked(_conv_bn(_with("pg", 0.0)), x=SHAPE)
    assert verdicts(result) == {"bn": "backward"}
    assert result.ledger.decisions[0].numbers is not None
    assert result.ledger.decisions[0].numbers.zero_scales == 1


def test_float16_epsilon_that_is_zero_in_float16_stays() -> None:
    result = bnfold.fold(_conv_bn({}, "float16", "<epsilon = 0.00000001>"))
    assert verdicts(result) == {"bn": "epsilon-underflow"}


def test_weight_that_would_overflow_float16_stays() -> None:
    changes = {**_with("pv", 1e-7), "w": 1000 * weight(4, 3, 1, 1)}
    assert (
        "overflow"
        in verdicts(bnfold.fold(_conv_bn(changes, "float16", "<epsilon = 0.0000001>")))["bn"]
    )


def test_weight_that_would_overflow_float32_stays() -> None:
    changes = {**_with("pg", 1e30), "w": 1e20 * weight(4, 3, 1, 1)}
    assert "overflow" in verdicts(bnfold.fold(_conv_bn(changes)))["bn"]


def test_weight_that_would_vanish_in_float16_stays() -> None:
    changes = {"pg": np.full(4, 1e-5), "w": 1e-2 * weight(4, 3, 1, 1)}
    assert "underflow" in verdicts(bnfold.fold(_conv_bn(changes, "float16")))["bn"]


def test_shift_that_would_overflow_float16_stays() -> None:
    changes = {**_with("pm", 6e4), **_with("pg", 3.0)}
    assert "overflow" in verdicts(bnfold.fold(_conv_bn(changes, "float16")))["bn"]


def test_large_mean_close_to_the_bias_loses_nothing() -> None:
    """(b - mean) * s + beta, in float64; the other order, in float32, loses millions of ulp."""
    built = model(
        "(float[N, 3, 4, 4] x) => (float[N, 4, 4, 4] y) { a = Conv(x, w, b) [bn] y = BN(a, p) }",
        {
            "w": 1e-3 * weight(4, 3, 1, 1),
            **norm("p", 4),
            "b": np.full(4, 1e4, np.float32),
            "pm": np.full(4, 1e4, np.float32) + np.float32(0.125),
        },
    )
    result = fold_checked(built, x=SHAPE)
    bias = next(t for t in result.to_proto().graph.initializer if t.name.startswith("b"))
    parameters = norm("p", 4)
    scale = parameters["pg"] / np.sqrt(parameters["pv"].astype(np.float64) + np.float32(1e-5))
    exact = -0.125 * scale + parameters["pb"]
    np.testing.assert_array_equal(onnx.numpy_helper.to_array(bias), exact.astype(np.float32))


@pytest.mark.parametrize(
    ("x", "scale", "mean"),
    [
        ("float16", "float", "float"),
        ("float16", "float16", "float"),
        ("float", "double", "float"),
        ("double", "float", "float"),
    ],
)
def test_mixed_types_of_opset_15_fold_into_the_weight_s_own(x: str, scale: str, mean: str) -> None:
    kinds = {"w": x, "pg": scale, "pb": scale, "pm": mean, "pv": mean}
    values = {"w": weight(4, 3, 1, 1), **norm("p", 4)}
    typed = {name: value.astype(DTYPES[kinds[name]]) for name, value in values.items()}
    result = fold_checked(model(CONV_BN.format(d=x, a=""), typed, opset=15), x=SHAPE)
    assert verdicts(result) == {"bn": "backward"}
    stored = {t.data_type for t in result.to_proto().graph.initializer}
    assert stored == {onnx.TensorProto.DataType.Value(x.upper())}


def test_division_by_zero_is_no_affine() -> None:
    built = model(
        "(float[N, 3, 4, 4] x) => (float[N, 4, 4, 4] y) { a = Conv(x, w) y = Div(a, c) }",
        {"w": weight(4, 3, 1, 1), "c": np.zeros((4, 1, 1), np.float32)},
    )
    assert kinds_of(bnfold.fold(built)) == ["Conv", "Div"]


def test_integer_arithmetic_is_no_affine() -> None:
    built = model(
        "(int64[N, 4] x) => (int64[N, 4] y) { a = Mul(x, c) y = Div(a, c) }",
        {"c": np.arange(1, 5)},
    )
    assert kinds_of(bnfold.fold(built)) == ["Mul", "Div"]


def test_tiny_scales_in_front_of_a_conv_fold() -> None:
    parameters = norm("p", 3)
    parameters["pg"][0] = 1e-6
    built = model(
        """(float[N, 3, 4, 4] x) => (float[N, 4, 4, 4] y) {
            [bn] a = BN(x, p) b = Conv(a, w) y = Sigmoid(b) }""",
        {"w": weight(4, 3, 1, 1), **parameters},
    )
    assert verdicts(fold_checked(built, x=SHAPE)) == {"bn": "forward"}


def test_zero_sized_batch_is_no_trap() -> None:
    built = _conv_bn({})
    assert verdicts(fold_checked(built, x=(0, 3, 4, 4))) == {"bn": "backward"}


def test_mismatched_parameter_lengths_are_told() -> None:
    built = _conv_bn({"pb": weight(3)})
    assert verdicts(bnfold.fold(built)) == {"bn": "malformed"}
