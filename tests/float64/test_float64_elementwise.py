"""Functions of one, two and many values."""

import numpy as np
import pytest
import torch

from bnfold.float64 import run_op

ACTIVATIONS = {
    "Relu": {},
    "LeakyRelu": {"alpha": 0.3},
    "Elu": {"alpha": 1.7},
    "Selu": {},
    "Celu": {"alpha": 1.7},
    "Sigmoid": {},
    "HardSigmoid": {"alpha": 0.3, "beta": 0.4},
    "HardSwish": {},
    "Tanh": {},
    "Softplus": {},
    "Softsign": {},
    "Mish": {},
    "ThresholdedRelu": {"alpha": 0.4},
    "Erf": {},
    "Exp": {},
    "Abs": {},
    "Neg": {},
    "Floor": {},
    "Ceil": {},
    "Round": {},
    "Sign": {},
    "Sin": {},
    "Cos": {},
    "Tan": {},
    "Sinh": {},
    "Cosh": {},
    "Atan": {},
    "Asinh": {},
    "Reciprocal": {},
    "Identity": {},
    "IsNaN": {},
    "IsInf": {},
    "Shrink": {"lambd": 0.4, "bias": 0.1},
    "Log": {},
    "Sqrt": {},
    "Acosh": {},
    "Asin": {},
    "Acos": {},
    "Atanh": {},
    "Not": {},
}
DOMAINS = {"Log": (0.1, 5), "Sqrt": (0, 5), "Acosh": (1, 5)}
DOMAINS |= dict.fromkeys(("Asin", "Acos", "Atanh"), (-0.9, 0.9))


@pytest.mark.parametrize("op", ACTIVATIONS)
def test_functions_of_one_value(agrees, draw, op):
    x = draw(2, 3, 7) * 3
    if op in DOMAINS:
        low, high = DOMAINS[op]
        x = np.random.default_rng(1).uniform(low, high, (2, 3, 7)).astype(np.float32)
    x = x > 0 if op == "Not" else x
    agrees(op, [x], ACTIVATIONS[op], opset=20)


@pytest.mark.parametrize("op", ["LeakyRelu", "Elu", "Celu", "HardSigmoid", "ThresholdedRelu"])
def test_defaults_are_those_of_the_schema(agrees, draw, op):
    agrees(op, [draw(40)])


@pytest.mark.parametrize("approximate", ["none", "tanh"])
def test_gelu(agrees, draw, approximate):
    agrees("Gelu", [draw(50) * 2], {"approximate": approximate}, opset=20)


def test_contributed_gelu(agrees, draw):
    agrees("Gelu", [draw(50) * 2], {}, domain="com.microsoft")


def test_swish(draw):
    x = draw(50)
    (y,) = run_op("Swish", [x], {"alpha": 1.5}, opset=24)
    wide = torch.tensor(x).double()
    np.testing.assert_allclose(y, (wide * torch.sigmoid(1.5 * wide)).numpy(), rtol=1e-14)


@pytest.mark.parametrize("slope", [(3, 1, 1), (1,), (2, 3, 4, 5)])
def test_prelu(agrees, draw, slope):
    agrees("PRelu", [draw(2, 3, 4, 5), draw(*slope)])


def test_prelu_before_opset_7_has_a_slope_per_channel(draw):
    x, slope = draw(2, 3, 3), draw(3)
    (y,) = run_op("PRelu", [x, slope], {}, opset=6)
    expected = torch.nn.functional.prelu(torch.tensor(x).double(), torch.tensor(slope).double())
    np.testing.assert_array_equal(y, expected.numpy())


@pytest.mark.parametrize("other", [(2, 3, 4), (4,), (3, 1), ()])
@pytest.mark.parametrize("op", ["Add", "Sub", "Mul", "Div"])
def test_arithmetic_broadcasts(agrees, draw, op, other):
    agrees(op, [draw(2, 3, 4), draw(*other)])
    agrees(op, [draw(*other), draw(2, 3, 4)])


@pytest.mark.parametrize("op", ["Add", "Sub", "Mul", "Div"])
def test_integers_stay_integers(agrees, op):
    a = np.array([7, -7, 7, -7, 6, 0], np.int64)
    agrees(op, [a, np.array([2, 2, -2, -2, 3, 5], np.int64)])


def test_arithmetic_before_opset_7_broadcasts_along_an_axis():
    a, b = np.zeros((2, 3, 4)), np.arange(3.0)
    (y,) = run_op("Add", [a, b], {"broadcast": 1, "axis": 1}, opset=6)
    assert y[0, :, 0].tolist() == [0, 1, 2]
    assert y[1, 2].tolist() == [2, 2, 2, 2]


@pytest.mark.parametrize("exponent", [np.float32(2.5), np.int64(3), np.float64(0.5)])
def test_power(agrees, draw, exponent):
    agrees("Pow", [np.abs(draw(9)), np.full(9, exponent)])


def test_power_of_integers_is_an_integer(agrees):
    agrees("Pow", [np.array([2, 3, -2], np.int64), np.array([3, 2, 3], np.int64)])
    agrees("Pow", [np.array([2, 3, 4], np.int32), np.array([3, 0.5, 0.5], np.float32)])


@pytest.mark.parametrize("fmod", [0, 1])
def test_modulo_of_integers(agrees, fmod):
    a = np.array([7, -7, 7, -7], np.int32)
    agrees("Mod", [a, np.array([3, 3, -3, -3], np.int32)], {"fmod": fmod})


def test_modulo_of_floats(agrees, draw):
    agrees("Mod", [draw(9) * 5, draw(9)], {"fmod": 1}, tolerance=1e-5)


@pytest.mark.parametrize("op", ["Sum", "Mean", "Max", "Min"])
def test_many_inputs(agrees, draw, op):
    agrees(op, [draw(2, 3), draw(3), draw(2, 1)])
    agrees(op, [draw(2, 3)])


@pytest.mark.parametrize("op", ["Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"])
def test_comparisons(agrees, op):
    agrees(op, [np.array([1.0, 2.0, 3.0], np.float32), np.array([2.0], np.float32)])
    agrees(op, [np.array([1, 2, 3]), np.array([2])])


@pytest.mark.parametrize("op", ["And", "Or", "Xor"])
def test_logic(agrees, op):
    agrees(op, [np.array([True, True, False, False]), np.array([True, False, True, False])])


def test_where(agrees, draw):
    agrees("Where", [draw(2, 3) > 0, draw(3), draw(2, 1)])


@pytest.mark.parametrize("bounds", [(-0.5, 0.7), (None, 0.7), (-0.5, None), (None, None)])
def test_clip(agrees, draw, bounds):
    low, high = (None if b is None else np.array(b, np.float32) for b in bounds)
    agrees("Clip", [draw(30), low, high])


def test_clip_of_integers(agrees):
    agrees("Clip", [np.arange(-5, 5), np.array(-2), np.array(3)])


@pytest.mark.parametrize("attributes", [{"min": -0.5, "max": 0.7}, {"max": 0.7}, {}])
def test_clip_before_opset_11(agrees, draw, attributes):
    agrees("Clip", [draw(30)], attributes, opset=7)


@pytest.mark.parametrize("opset", [11, 13])
@pytest.mark.parametrize("axis", [None, 0, 1, 2, -1])
@pytest.mark.parametrize("op", ["Softmax", "LogSoftmax", "Hardmax"])
def test_softmax_of_old_and_new_opsets(agrees, draw, op, axis, opset):
    agrees(op, [draw(2, 3, 4)], {} if axis is None else {"axis": axis}, opset=opset)


def test_softmax_does_not_overflow():
    (y,) = run_op("Softmax", [np.array([[1e4, 1e4 - 1]])], {}, opset=13)
    np.testing.assert_allclose(y, [[1 / (1 + np.exp(-1)), 1 / (1 + np.e)]], rtol=1e-15)
