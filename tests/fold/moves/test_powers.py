"""Powers: what a scale becomes, and where none may pass."""

from __future__ import annotations

import numpy as np
import pytest

from tests.fold.property.oracle import kinds_of
from tests.fold.property.text_models import Array, fold_checked, model, norm, verdicts, weight

_CONSTANTS: dict[str, Array] = {
    "half": np.array(0.5, np.float32),
    "two": np.array(2, np.int64),
    "three": np.array([3], np.float32),
    "four": np.array(4, np.float32),
    "each": np.array([1.0, 2.0, 2.0, 2.0], np.float32).reshape(4, 1),
    "minus": np.array(-1, np.int64),
    "none": np.array(0, np.float32),
    "laid": np.full((1, 1, 1), 2, np.float32),
    "deep": np.full((1, 1, 1, 1), 2, np.float32),
    "one": np.ones((1, 4, 1), np.float32),
    "time": np.array([2]),
}


def _without_shift(*, signs: bool = False) -> dict[str, Array]:
    zeros = np.zeros(4, np.float32)
    return norm("n", 4, signs=signs) | {"nb": zeros, "nm": zeros}


def _verdict(text: str, values: dict[str, Array]) -> str:
    parsed = model(
        f"(float[2,4,7] x) => (float y) {{ {text} }}",
        {"w": weight(4, 4, 1), "v": weight(3, 4, 1, seed=2), **_CONSTANTS, **values},
    )
    result = fold_checked(parsed, x=(2, 4, 7))
    (found,) = verdicts(result).values()
    assert ("BatchNormalization" in kinds_of(result)) == (found not in ("backward", "forward"))
    return found


@pytest.mark.parametrize("signs", [True, False])
def test_a_batch_norm_before_the_mean_and_deviation_over_time_goes_into_what_reads_them(
    signs: bool,
) -> None:
    parsed = model(
        "(float[2,4,9] x) => (float y) { t = Tanh(x) b = BN(t, n) "
        "m = ReduceMean(b, time) c = Sub(b, m) q = Pow(c, two) r = ReduceMean(q, time) "
        "d = Sqrt(r) j = Concat<axis = 1>(m, d) f = Flatten(j) z = Gemm(f, k) y = Sigmoid(z) }",
        {"k": weight(8, 3), **norm("n", 4, signs=signs), **_CONSTANTS},
    )
    result = fold_checked(parsed, x=(2, 4, 9))
    assert verdicts(result) == {"b": "forward"}


@pytest.mark.parametrize(
    "operators",
    [
        "a = Abs(b) p = Sqrt(a)",
        "a = Abs(b) p = Pow(a, half)",
        "p = Pow(b, two)",
        "p = Pow(b, three)",
        "p = Pow(b, laid)",
    ],
)
def test_a_scale_of_any_sign_passes_a_power_forward(operators: str) -> None:
    text = f"t = Exp(x) b = BN(t, n) {operators} z = Conv(p, v) y = Sigmoid(z)"
    assert _verdict(text, _without_shift(signs=True)) == "forward"


@pytest.mark.parametrize(("operator", "signs"), [("two", False), ("three", False), ("three", True)])
def test_a_scale_that_has_a_root_passes_an_integer_power_backward(
    operator: str, signs: bool
) -> None:
    text = f"e = Exp(x) a = Conv(e, w) p = Pow(a, {operator}) b = BN(p, n) y = Sigmoid(b)"
    assert _verdict(text, _without_shift(signs=signs)) == "backward"


def test_an_even_power_takes_no_negative_scale_backward() -> None:
    text = "e = Exp(x) a = Conv(e, w) p = Pow(a, two) b = BN(p, n) y = Sigmoid(b)"
    assert "negative-scale" in _verdict(text, _without_shift(signs=True)).split()


@pytest.mark.parametrize("operator", ["Reciprocal(b)", "Pow(b, minus)", "Div(one, b)"])
@pytest.mark.parametrize("signs", [True, False])
def test_a_batch_norm_decides_the_sign_of_what_one_over_0_is(operator: str, signs: bool) -> None:
    """Its shift of 0 makes +0 of -0, and so +inf, whatever the sign of its scale."""
    values = _without_shift(signs=signs)
    made = "Relu(x)" if signs else "Neg(q)"
    text = f"q = Relu(x) r = {made} b = BN(r, n) p = {operator} z = Conv(p, v) y = Sigmoid(z)"
    assert _verdict(text, values) not in ("backward", "forward")


@pytest.mark.parametrize(
    ("divisor", "second", "left"),
    [
        ("a = Mul(q, f)", 1.5, ["Conv", "Relu", "Neg", "Div", "Tanh"]),
        ("a = Mul(q, f)", -1.5, ["Conv", "Relu", "Neg", "Mul", "Div", "Tanh"]),
        ("a = BN(q, n)", 1.5, ["Conv", "Relu", "Neg", "BatchNormalization", "Div", "Tanh"]),
    ],
)
def test_of_what_divides_a_product_of_numbers_above_0_passes(
    divisor: str, second: float, left: list[str]
) -> None:
    """It leaves the sign of a zero as it is; a batch norm with a shift of 0 does not."""
    factor = np.array([0.5, second, 2, 0.25], np.float32).reshape(4, 1)
    text = f"c = Conv(x, w) r = Relu(x) q = Neg(r) {divisor} d = Div(c, a) y = Tanh(d)"
    parsed = model(
        f"(float[2,4,7] x) => (float y) {{ {text} }}",
        {"w": weight(4, 4, 1), "f": factor, **_without_shift()},
    )
    assert kinds_of(fold_checked(parsed, x=(2, 4, 7))) == left


@pytest.mark.parametrize(
    ("operator", "code"),
    [
        ("Sqrt(b)", "negative-scale"),
        ("Pow(b, half)", "negative-scale"),
        ("Pow(b, four)", "not-linear"),
        ("Pow(b, each)", "not-linear"),
        ("Pow(b, none)", "not-linear"),
        ("Pow(b, t)", "not-linear"),
        ("Pow(t, b)", "not-linear"),
    ],
)
def test_what_passes_no_power_stays_for_that_reason(operator: str, code: str) -> None:
    text = f"t = Exp(x) b = BN(t, n) p = {operator} z = Conv(p, v) y = Sigmoid(z)"
    assert code in _verdict(text, _without_shift(signs=True)).split()


@pytest.mark.parametrize(
    "text",
    [
        "b = BN(x, n) p = Pow(b, deep) y = Sigmoid(p)",
        "t = Exp(x) p = Pow(t, deep) q = Squeeze(p, zero) b = BN(q, n) y = Sigmoid(b)",
    ],
)
def test_an_exponent_with_more_axes_makes_another_shape(text: str) -> None:
    zero = {"zero": np.array([0])}
    assert "not-linear" in _verdict(text, _without_shift() | zero).split()


def test_an_exponent_is_known_beside_a_value_without_a_shape() -> None:
    """What the batch norm reads has three axes, as the Conv tells; of x nobody does."""
    text = "(float[2,4,7] x) => (float y) { p = Pow(x, two) b = BN(p, n) y = Conv(b, shut) }"
    constants = {"shut": weight(3, 4, 3), **_without_shift(), **_CONSTANTS}
    parsed = model(text.replace("Conv(", "Conv<pads = [1, 1]>("), constants)
    parsed.graph.input[0].type.tensor_type.ClearField("shape")
    (found,) = verdicts(fold_checked(parsed, x=(2, 4, 7))).values()
    assert "not-linear" not in found.split()


def test_a_shift_passes_no_power() -> None:
    text = "t = Exp(x) b = BN(t, n) p = Pow(b, two) z = Conv(p, v) y = Sigmoid(z)"
    assert "shift-before-power" in _verdict(text, norm("n", 4)).split()


def test_a_channel_of_scale_0_passes_no_power() -> None:
    values = _without_shift()
    values["ng"][1] = 0
    text = "t = Exp(x) b = BN(t, n) p = Pow(b, two) z = Conv(p, v) y = Sigmoid(z)"
    assert "zero-scale" in _verdict(text, values).split()


def test_nothing_is_weighed_anew_before_a_root() -> None:
    text = "e = Abs(x) a = Conv(e, w) p = Sqrt(a) b = BN(p, n) y = Sigmoid(b)"
    positive = {"w": np.abs(weight(4, 4, 1))}
    assert "root-of-rounding" in _verdict(text, _without_shift() | positive).split()
