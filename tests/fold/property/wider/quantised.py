"""Quantised operators as the tools write them: QDQ, QLinear, integers at run time, odd weights."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import onnx
from onnx import helper

from tests.fold.property.builder import Array, Builder, NotApplicableError
from tests.fold.property.constants import constant, dims_of, shift, weight

_FLOAT = onnx.TensorProto.FLOAT


def _only_float(b: Builder, opset: int) -> None:
    if b.opset < opset or b.dtype != _FLOAT:
        raise NotApplicableError("not in this type or opset")


def _rank(b: Builder, x: str) -> int:
    rank = len(b.shape(x)) - 2
    if rank not in (1, 2):
        raise NotApplicableError("no spatial axes")
    return rank


def around(b: Builder, x: str) -> str:
    """QuantizeLinear and DequantizeLinear of an activation, by tensor or by channel."""
    _only_float(b, 10)
    step: Array = np.array(b.numbers.uniform(0.02, 0.08))
    given: dict[str, object] = {}
    if b.opset >= 13 and len(b.shape(x)) > 1 and b.choices.chance(25):
        step, given = b.numbers.uniform(0.02, 0.08, dims_of(b, x)), {"axis": 1}
    zero = np.full(step.shape, b.choices.between(100, 140), np.uint8)
    scale, point = b.store(step, "qs"), b.store(zero, "qz")
    y = b.node("QuantizeLinear", [x, scale, point], given)
    return b.node("DequantizeLinear", [y, scale, point], given)


def qlinear_conv(b: Builder, x: str) -> str:
    """QuantizeLinear, QLinearConv with weights by channel, DequantizeLinear."""
    _only_float(b, 10)
    rank, channels = _rank(b, x), dims_of(b, x)
    out = b.choices.between(1, 4)
    scale, point = b.store(np.array(0.04), "xs"), b.store(np.array(128, np.uint8), "xz")
    y_scale, y_point = b.store(np.array(0.06), "ys"), b.store(np.array(120, np.uint8), "yz")
    w = b.store(b.numbers.integers(-127, 128, (out, channels, *[1] * rank)).astype(np.int8), "qw")
    w_scale = b.store(b.numbers.uniform(0.004, 0.02, out), "ws")
    w_point = b.store(np.zeros(out, np.int8), "wz")
    q = b.node("QuantizeLinear", [x, scale, point])
    inputs = [q, scale, point, w, w_scale, w_point, y_scale, y_point]
    if b.choices.chance(50):
        inputs.append(b.store(b.numbers.integers(-500, 500, out).astype(np.int32), "qb"))
    y = b.node("QLinearConv", inputs)
    return b.node("DequantizeLinear", [y, y_scale, y_point])


def dynamic(b: Builder, x: str) -> str:
    """What onnxruntime's quantize_dynamic makes of a MatMul or a Conv: scales of rank 0."""
    _only_float(b, 11)
    rank = len(b.shape(x))
    if rank < 2:
        raise NotApplicableError("not a matrix")
    q, scale, point = b.multi("DynamicQuantizeLinear", [x], 3)
    out = b.choices.between(1, 4)
    if rank == 4 and b.choices.chance(60):
        shape, op, axis = (out, dims_of(b, x), 1, 1), "ConvInteger", 1
    else:
        shape, op, axis = (b.shape(x)[-1], out), "MatMulInteger", rank - 1
    w = b.store(b.numbers.integers(-127, 128, shape).astype(np.int8), "qw")
    y = b.node(op, [q, w, point, b.store(np.array(0, np.int8), "wz")])
    y = b.node("Cast", [y], {"to": _FLOAT})
    both = b.node("Mul", [scale, constant(b, np.array(0.01), "ws")])
    y = b.node("Mul", [y, both])
    laid = [1] * rank
    laid[axis] = -1
    return b.node("Add", [y, constant(b, shift(b, out).reshape(laid), "b")])


def odd_weight(b: Builder, x: str) -> str:
    """Conv, Gemm or MatMul by a weight of 4 or 8 bits, in blocks or not, with any output type."""
    rank = len(b.shape(x))
    if b.dtype not in (_FLOAT, onnx.TensorProto.FLOAT16) or b.opset < 13 or rank not in (2, 3, 4):
        raise NotApplicableError("no weights of this type")
    if b.dtype != _FLOAT and b.opset < 19:
        raise NotApplicableError("the scale is float32")
    out = b.choices.between(1, 6)
    if rank == 2:
        shape: tuple[int, ...] = (b.shape(x)[1], out)
        y = b.node(b.choices.of(["MatMul", "Gemm"]), [x, _dequantized(b, shape, 1)])
    else:
        shape = (out, dims_of(b, x), *[1] * (rank - 2))
        y = b.node("Conv", [x, _dequantized(b, shape, 0)])
    return y


def _dequantized(b: Builder, shape: tuple[int, ...], axis: int) -> str:
    kinds: list[int] = [onnx.TensorProto.INT8, onnx.TensorProto.UINT8]
    if b.opset >= 21:
        kinds += [onnx.TensorProto.INT4, onnx.TensorProto.UINT4]
    if b.opset >= 19:
        kinds += [onnx.TensorProto.FLOAT8E4M3FN]
    kind = b.choices.of(kinds)
    values, zero = _quantised(b, kind, shape)
    name = b.name("q")
    b.initializers.append(onnx.numpy_helper.from_array(values, name))
    b.samples[name] = values
    form = b.choices.weighted([(40, "axis"), (30, "tensor"), (30, "blocks")])
    given: dict[str, object] = {}
    laid: tuple[int, ...] = ()
    if form == "axis":
        laid, given = (shape[axis],), {"axis": axis}
    elif form == "blocks" and b.opset >= 21:
        along = b.choices.between(0, 1)
        block = b.choices.of([d for d in range(1, shape[along] + 1) if shape[along] % d == 0])
        laid = tuple(d // block if i == along else d for i, d in enumerate(shape))
        given = {"axis": along, "block_size": block}
    inputs = [name, b.store(b.numbers.uniform(0.005, 0.02, laid), "qs")]
    if zero is not None and b.choices.chance(60):
        point = b.name("qz")
        b.initializers.append(onnx.numpy_helper.from_array(np.full(laid, zero), point))
        b.samples[point] = np.full(laid, zero)
        inputs.append(point)
    if b.opset >= 23 and b.choices.chance(40):
        given["output_dtype"] = b.dtype
    return b.node("DequantizeLinear", inputs, given)


def _quantised(b: Builder, kind: int, shape: tuple[int, ...]) -> tuple[Array, Array | None]:
    dtype = helper.tensor_dtype_to_np_dtype(kind)
    if kind == onnx.TensorProto.FLOAT8E4M3FN:
        return (weight(b, *shape) * 40).astype(ml_dtypes.float8_e4m3fn), None
    low, high = {"int8": (-128, 127), "uint8": (0, 255), "int4": (-8, 7), "uint4": (0, 15)}[
        dtype.name
    ]
    values = b.numbers.integers(low, high + 1, shape).astype(np.int64).astype(dtype)
    return values, np.array((low + high + 1) // 2).astype(dtype)


MOTIFS = [(5, around), (3, qlinear_conv), (5, dynamic), (6, odd_weight)]
