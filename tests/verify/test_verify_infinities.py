"""An infinity of the other sign is a difference, unless rounding gives the original both."""

import numpy as np
import pytest
import torch

import bnfold
from tests.verify.graphs import parsed

_ONE_OVER = "g (float[N,4] x) => (float[N,4] y) { r = Relu (x) y = Div (one, r) }"
_TURNED = """g (float[N,4] x) => (float[N,4] y) {
    r = Relu (x) m = Neg (r) n = Add (m, zero) y = Div (minus, n)
}"""
_SAME = "g (float[N,4] x) => (float[N,4] y) { r = Relu (x) n = Neg (r) y = Div (minus, n) }"
_NUMBERS = {"one": np.float32(1), "minus": np.float32(-1), "zero": np.float32(0)}


def _model(text, names):
    return parsed(text, **{name: _NUMBERS[name] for name in names.split()})


def _data(dtype=np.float32):
    return {"x": np.array([[-1, 2, 0, 3], [0.5, -2, 1, 4]], dtype)}


@pytest.mark.parametrize("data", [None, _data()])
def test_infinities_of_the_other_sign_are_a_difference(data):
    """The numbers agree; 1 / 0 is +inf, and 1 / (0 - 0) with a minus is -inf."""
    found = bnfold.verify(_model(_ONE_OVER, "one"), _model(_TURNED, "minus zero"), data=data)
    assert found.verdict == "different"
    assert "NaN or Inf" in found.reason


@pytest.mark.parametrize("data", [None, _data()])
def test_infinities_of_the_same_sign_are_none(data):
    assert bnfold.verify(_model(_ONE_OVER, "one"), _model(_SAME, "minus"), data=data).is_equivalent


@pytest.mark.parametrize("text", [_TURNED, _SAME])
def test_so_they_are_of_a_torch_module(text):
    class OneOver(torch.nn.Module):
        def forward(self, x):
            return 1 / torch.relu(x)

    other = _model(text, "minus zero" if text == _TURNED else "minus")
    found = bnfold.verify(OneOver(), other, data=_data())
    assert found.is_equivalent == (text == _SAME)


def test_so_they_are_in_half_precision():
    def half(text, names):
        numbers = {name: np.float16(_NUMBERS[name]) for name in names.split()}
        return parsed(text.replace("float[", "float16["), **numbers)

    one = half(_ONE_OVER, "one")
    assert bnfold.verify(one, half(_TURNED, "minus zero")).verdict == "different"
    assert bnfold.verify(one, half(_SAME, "minus")).is_equivalent


def test_signs_that_rounding_turns_in_the_original_are_no_difference():
    """x * a - b is 0 but for a rounding: 1 / 0 in one order, 1 / 1e-8 or 1 / -1e-8 in another."""
    text = "g (float[N,4] x) => (float[N,4] y) { p = Mul (x, a) d = Sub (p, b) y = Div (one, d) }"
    a, b = np.float32([0.1, 0.3, 0.7, 1.1]), np.float32([0.1, 0.3, 0.7, 1.1])
    data = [{"x": np.ones((1, 4), np.float32)}, {"x": np.float32([[3, 5, 7, 9]])}]
    original = parsed(text, a=a, b=b, one=np.float32(1))
    below = parsed(text, a=np.nextafter(a, np.float32(0)), b=b, one=np.float32(1))
    far = parsed(text, a=a, b=b, one=np.float32(-1))
    assert "NaN or Inf" not in bnfold.verify(original, below, data=data).reason
    assert bnfold.verify(original, far, data=data).verdict == "different"


def test_a_number_beyond_the_largest_is_no_scale_for_the_others():
    """1e300 is an infinity in float32: what is beside it is judged all the same."""
    text = """g (float[N,4] x) => (float[N,4] y) {
        p = Mul (x, huge) q = Mul (p, huge) z = Mul (x, small) y = Add (q, z)
    }"""
    huge = np.float32([3e38, 0, 0, 0])
    models = [parsed(text, huge=huge, small=np.full(4, s, np.float32)) for s in (1, 2)]
    assert bnfold.verify(models[0], models[1], data=_data()).verdict == "different"
    assert bnfold.verify(models[0], models[0], data=_data()).is_equivalent


def test_rounding_decides_whether_the_largest_number_is_one():
    text = "g (float[N,2] x) => (float[N,2] y) { y = Mul (x, c) }"
    largest = np.finfo(np.float32).max
    x = np.float32([[1, 1 + 2**-23], [0.5, 0.25]])
    above = np.full(2, largest / np.float32(1 + 2**-23), np.float32)
    models = [parsed(text, c=c) for c in (np.full(2, largest, np.float32), above)]
    assert bnfold.verify(*models, data={"x": x}).is_equivalent
    half = parsed(text, c=np.full(2, largest / 2, np.float32))
    assert bnfold.verify(models[0], half, data={"x": x}).verdict == "different"
