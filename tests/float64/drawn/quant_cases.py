"""Quantised values. Scales are powers of two, so that no tie hangs on a rounding."""

from __future__ import annotations

import numpy as np

from tests.float64.drawn.case import Array, Case, Dice, Draw
from tests.float64.drawn.spatial_cases import kernel_of, window


def scale(dice: Dice, *shape: int) -> Array:
    return np.asarray(2.0 ** dice.integers(-4, 2, shape), np.float32)


def bytes_(dice: Dice, dtype: object, *shape: int) -> Array:
    info = np.iinfo(dtype)  # type: ignore[call-overload]
    return dice.ints(info.min, info.max, *shape, dtype=dtype)


def half_bytes(dice: Dice, dtype: object, *shape: int) -> Array:
    """Weights of 7 bits: with 8, sums of u8 * s8 saturate on processors without VNNI."""
    return dice.ints(-64 if dtype == np.int8 else 0, 63, *shape, dtype=dtype)


def _parameters(dice: Dice, x: Array, dtype: object) -> tuple[list[Array], dict[str, int]]:
    """A scale and perhaps a zero point, for all of `x` or for each entry of an axis."""
    attributes = {}
    shape: tuple[int, ...] = ()
    if dice.maybe():
        axis = dice.whole(-x.ndim, x.ndim - 1)
        attributes, shape = {"axis": axis}, (x.shape[axis],)
    zero = [bytes_(dice, dtype, *shape)] if dice.maybe(0.7) or dtype != np.uint8 else []
    return [scale(dice, *shape), *zero], attributes


def quantize(dice: Dice) -> Case:
    x = np.round(dice.real(*dice.shape(2, 4)) * 64) / 16
    parameters, attributes = _parameters(dice, x, dice.pick(np.uint8, np.int8))
    return Case([x, *parameters], attributes, opset=13)


def dequantize(dice: Dice) -> Case:
    dtype = dice.pick(np.uint8, np.int8)
    x = bytes_(dice, dtype, *dice.shape(2, 4))
    parameters, attributes = _parameters(dice, x, dtype)
    return Case([x, *parameters], attributes, opset=13)


def blocked(dice: Dice) -> Case:
    block = dice.pick(2, 3)
    x = bytes_(dice, np.int8, 2, block * dice.whole(1, 3), 3)
    attributes = {"axis": 1, "block_size": block}
    return Case([x, scale(dice, 2, x.shape[1] // block, 3)], attributes, opset=21)


def dynamic_quantize(dice: Dice) -> Case:
    x = dice.ints(-127, 128, *dice.shape(1, 3)).astype(np.float32)
    x.flat[0] = 0
    edges = np.array([-127.0, 128.0], np.float32)  # the scale is 1
    return Case([np.concatenate([x.reshape(-1), edges])], opset=11, n_outputs=3)


def _convolution(dice: Dice) -> tuple[Array, Array, dict[str, object]]:
    rank, group = dice.pick(1, 2), dice.pick(1, 1, 2)
    kernel = kernel_of(dice, rank)
    x = bytes_(dice, np.uint8, 1, 2 * group, *(dice.whole(4, 9) for _ in range(rank)))
    W = half_bytes(dice, np.uint8, 2 * group, 2, *kernel)
    return x, W, {"group": group, **window(dice, rank, kernel)}


def conv_integer(dice: Dice) -> Case:
    x, W, attributes = _convolution(dice)
    zeros = [bytes_(dice, np.uint8), bytes_(dice, np.uint8)][: dice.whole(0, 2)]
    return Case([x, W, *zeros], attributes, opset=10)


def qlinear_conv(dice: Dice) -> Case:
    x, W, attributes = _convolution(dice)
    W = W.view(np.int8) if dice.maybe() else W
    per_channel = (W.shape[0],) if dice.maybe() and W.dtype == np.int8 else ()
    zero_w = np.zeros(per_channel, W.dtype) if per_channel else bytes_(dice, W.dtype)
    bias = [dice.ints(-99, 99, W.shape[0], dtype=np.int32)] if dice.maybe() else []
    y_scale = np.asarray(2.0 ** dice.whole(4, 10), np.float32)
    inputs = [x, scale(dice), bytes_(dice, np.uint8), W, scale(dice, *per_channel), zero_w]
    return Case([*inputs, y_scale, bytes_(dice, np.uint8), *bias], attributes, opset=10)


def matmul_integer(dice: Dice) -> Case:
    M, K, N = (dice.whole(1, 5) for _ in range(3))
    batch = dice.shape(0, 2, 3)
    a, b = bytes_(dice, np.uint8, *batch, M, K), half_bytes(dice, np.int8, K, N)
    zeros = [bytes_(dice, np.uint8), bytes_(dice, np.int8)][: dice.whole(0, 2)]
    return Case([a, b, *zeros], opset=10)


def qlinear_matmul(dice: Dice) -> Case:
    M, K, N = (dice.whole(1, 5) for _ in range(3))
    a, b = bytes_(dice, np.uint8, M, K), bytes_(dice, np.uint8, K, N)
    y_scale = np.asarray(2.0 ** dice.whole(2, 8), np.float32)
    left = [a, scale(dice), bytes_(dice, np.uint8)]
    right = [b, scale(dice), bytes_(dice, np.uint8)]
    return Case([*left, *right, y_scale, bytes_(dice, np.uint8)], opset=10)


CASES: dict[str, Draw] = {
    "QuantizeLinear": quantize,
    "DequantizeLinear": lambda dice: blocked(dice) if dice.maybe(0.3) else dequantize(dice),
    "DynamicQuantizeLinear": dynamic_quantize,
    "ConvInteger": conv_integer,
    "QLinearConv": qlinear_conv,
    "MatMulInteger": matmul_integer,
    "QLinearMatMul": qlinear_matmul,
}
