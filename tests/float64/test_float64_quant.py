"""Quantised operators, bit for bit."""

import ml_dtypes
import numpy as np
import pytest

from bnfold.float64 import run_op


def scale(*values):
    return np.array(values, np.float32)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int16])
def test_quantize_and_dequantize_per_tensor(agrees, draw, dtype):
    zero = np.array(3, dtype)
    y = agrees("QuantizeLinear", [draw(2, 3, 4) * 40, scale(0.37), zero], {}, opset=21)
    agrees("DequantizeLinear", [y[0], scale(0.37), zero], {}, opset=21)


def test_quantize_without_a_zero_point_gives_uint8(agrees, draw):
    agrees("QuantizeLinear", [draw(30) * 90, np.array(0.37, np.float32)])


def test_quantize_rounds_half_to_even_and_saturates(agrees):
    x = np.array([-1e9, -300, -2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 300, 1e9], np.float32)
    agrees("QuantizeLinear", [x, np.array(1, np.float32), np.array(0, np.int8)])


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_quantize_and_dequantize_per_axis(agrees, draw, axis):
    x = draw(3, 3, 3) * 20
    parameters = [scale(0.1, 0.2, 0.37), np.array([1, -2, 3], np.int8)]
    y = agrees("QuantizeLinear", [x, *parameters], {"axis": axis})
    agrees("DequantizeLinear", [y[0], *parameters], {"axis": axis})


def test_dequantize_by_blocks(agrees, draw):
    q = np.arange(-12, 12, dtype=np.int8).reshape(2, 12)
    inputs = [q, np.abs(draw(2, 3)), np.arange(6, dtype=np.int8).reshape(2, 3)]
    agrees("DequantizeLinear", inputs, {"axis": 1, "block_size": 4}, opset=21)


def test_dequantize_of_int32_and_of_contributed_operators(agrees):
    agrees("DequantizeLinear", [np.array([10**6, -7], np.int32), np.array(1e-3, np.float32)])
    inputs = [np.array([1, 200], np.uint8), np.array(0.5, np.float32), np.array(9, np.uint8)]
    agrees("DequantizeLinear", inputs, domain="com.microsoft")


def test_dequantize_of_4_bits():
    q = np.array([-8, -1, 7]).astype(ml_dtypes.int4)
    (y,) = run_op("DequantizeLinear", [q, np.array(0.5, np.float32)], {}, opset=21)
    assert y.tolist() == [-4, -0.5, 3.5]
    zero = np.array(1).astype(ml_dtypes.int4)
    (back,) = run_op("QuantizeLinear", [y, np.array(0.5), zero], {}, opset=21)
    assert back.dtype == ml_dtypes.int4
    assert back.astype(np.int8).tolist() == [-7, 0, 7]


def test_dequantize_is_exact_in_float64():
    (y,) = run_op("DequantizeLinear", [np.array([3], np.uint8), scale(0.1)], {}, opset=13)
    assert y.item() == 3 * np.float64(np.float32(0.1))


def bytes_(draw, *shape, dtype=np.uint8):
    return np.clip(draw(*shape) * 40 + (100 if dtype == np.uint8 else 0), -128, 255).astype(dtype)


@pytest.mark.parametrize("per_channel", [False, True])
def test_qlinear_conv(agrees, draw, per_channel):
    W = bytes_(draw, 4, 2, 3, 3, dtype=np.int8)
    w_scale = np.abs(draw(4)) * 0.02 + 0.001 if per_channel else np.array(0.02, np.float32)
    w_zero = np.zeros(4 if per_channel else (), np.int8)
    inputs = [bytes_(draw, 1, 4, 6, 6), np.array(0.05, np.float32), np.array(90, np.uint8)]
    inputs += [W, w_scale, w_zero, np.array(0.87, np.float32), np.array(120, np.uint8)]
    inputs += [np.array([5, -300, 20, 1000], np.int32)]
    agrees("QLinearConv", inputs, {"group": 2, "pads": [1, 1, 1, 1]})


def test_qlinear_matmul(agrees, draw):
    inputs = [bytes_(draw, 3, 4), np.array(0.05, np.float32), np.array(90, np.uint8)]
    inputs += [bytes_(draw, 4, 5), np.array(0.03, np.float32), np.array(110, np.uint8)]
    inputs += [np.array(0.1, np.float32), np.array(128, np.uint8)]
    agrees("QLinearMatMul", inputs)


def test_integer_products(agrees, draw):
    A, B = bytes_(draw, 3, 4), bytes_(draw, 4, 5)
    agrees("MatMulInteger", [A, B, np.array(90, np.uint8), np.array(110, np.uint8)])
    x, W = bytes_(draw, 1, 2, 6, 6), bytes_(draw, 3, 2, 3, 3)
    zeros = [np.array(90, np.uint8), np.array(110, np.uint8)]
    agrees("ConvInteger", [x, W, *zeros], {"pads": [1, 1, 1, 1]})


def test_dynamic_quantize(agrees, draw):
    agrees("DynamicQuantizeLinear", [draw(50)], n_outputs=3)
