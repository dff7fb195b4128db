"""What the other motifs leave out: any rank, odd sizes with every way to round them, raw ranges."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from tests.fold.property.builder import Builder, NotApplicableError
from tests.fold.property.constants import constant, dims_of, integers, linear_weight, shift, weight
from tests.fold.property.motifs.affine import batch_norm


def scalar_affine(b: Builder, x: str) -> str:
    """Arithmetic with a constant of rank 0 or 1, on a value of any rank."""
    values = b.numbers.uniform(0.5, 2, b.choices.of([(), (1,), b.shape(x)[-1:]]))
    op = b.choices.of(["Mul", "Add", "Sub", "Div"])
    other = constant(b, values, "c")
    return b.node(op, [x, other] if b.choices.chance(70) else [other, x])


def lift(b: Builder, x: str) -> str:
    """A value of rank 0 or 1 gets axes; one of more loses one."""
    rank = len(b.shape(x))
    if rank > 2:
        return b.node("ReduceMax", [x], {"keepdims": 0} if b.choices.chance(50) else {})
    if b.opset >= 13:
        return b.node("Unsqueeze", [x, integers(b, [rank], "axes")])
    return b.node("Unsqueeze", [x], {"axes": [rank]})


def vector_product(b: Builder, x: str) -> str:
    """MatMul with an operand of rank 1."""
    shape = b.shape(x)
    if len(shape) == 1:
        matrix = weight(b, *b.choices.of([(shape[0], 3), (2, shape[0], 3)]))
        return b.node("MatMul", [x, linear_weight(b, matrix, axis=matrix.ndim - 1)])
    if not shape:
        raise NotApplicableError("a number")
    return b.node("MatMul", [x, constant(b, weight(b, shape[-1]), "w")])


def same_conv(b: Builder, x: str) -> str:
    """SAME with any kernel, stride and dilation."""
    rank, channels = len(b.shape(x)) - 2, dims_of(b, x) if len(b.shape(x)) > 1 else 0
    if rank not in (1, 2):
        raise NotApplicableError("no spatial axes")
    kernel = [b.choices.between(1, 5) for _ in range(rank)]
    given: dict[str, object] = {
        "auto_pad": b.choices.of(["SAME_UPPER", "SAME_LOWER"]),
        "strides": [b.choices.between(1, 5) for _ in range(rank)],
    }
    if b.choices.chance(30):
        given["dilations"] = [b.choices.between(1, 3) for _ in range(rank)]
    out = b.choices.between(1, 4)
    if b.choices.chance(25):
        given.pop("dilations", None)
        inputs = [x, linear_weight(b, weight(b, channels, out, *kernel), axis=1)]
        if b.choices.chance(30):
            strides = [b.choices.between(2, 3)] * rank
            given |= {"strides": strides, "output_padding": [1] * rank}
        return b.node("ConvTranspose", inputs, given)
    inputs = [x, linear_weight(b, weight(b, out, channels, *kernel), axis=0)]
    return b.node("Conv", [*inputs, constant(b, shift(b, out), "b")], given)


def ceiling_pool(b: Builder, x: str) -> str:
    """A pool whose last window may hang over the edge."""
    rank = len(b.shape(x)) - 2
    if rank not in (1, 2) or b.opset < 10:
        raise NotApplicableError("no ceil_mode")
    kernel = [b.choices.between(1, 4) for _ in range(rank)]
    given: dict[str, object] = {
        "kernel_shape": kernel,
        "ceil_mode": 1,
        "strides": [b.choices.between(1, 4) for _ in range(rank)],
    }
    if b.choices.chance(50):
        given["pads"] = [b.choices.between(0, k - 1) for k in kernel] * 2
    op = b.choices.of(["MaxPool", "AveragePool"])
    if op == "AveragePool":
        given["count_include_pad"] = b.choices.between(0, 1)
    y = b.node(op, [x], given)
    if not np.all(np.isfinite(b.sample(y))):
        raise NotApplicableError("a window of padding alone")
    return y


def odd_resize(b: Builder, x: str) -> str:
    """Resize by any factor, or to any size."""
    shape = b.shape(x)
    rank = len(shape) - 2
    if rank not in (1, 2) or b.opset < 11:
        raise NotApplicableError("no Resize")
    given: dict[str, object] = {"mode": b.choices.of(["nearest", "linear"])}
    if b.choices.chance(50):
        given["coordinate_transformation_mode"] = b.choices.of(
            ["asymmetric", "align_corners", "half_pixel"]
        )
    if b.choices.chance(30):
        sizes = [*shape[:2], *(b.choices.between(1, 2 * d) for d in shape[2:])]
        if b.opset < 13:
            empty = b.store(np.zeros(0), "none", 1)
            return b.node("Resize", [x, empty, empty, integers(b, sizes, "sizes")], given)
        return b.node("Resize", [x, "", "", integers(b, sizes, "sizes")], given)
    factor = [b.choices.of([0.7, 1.3, 2.3, 0.45, 0.9, 3.0]) for _ in range(rank)]
    scales = b.store(np.array([1.0, 1.0, *factor], dtype=np.float32), "scales", 1)
    b.fixed.add(scales)
    roi = b.store(np.zeros(0), "none", 1) if b.opset < 13 else ""
    return b.node("Resize", [x, roi, scales], given)


def raw(b: Builder, x: str) -> str:
    """Channels of very different ranges are brought to one range, or apart."""
    if len(b.shape(x)) < 2:
        raise NotApplicableError("no channels")
    channels = dims_of(b, x)
    ranges = 10.0 ** b.numbers.uniform(-4, 4, channels)
    if b.choices.chance(50):
        ranges = np.where(b.numbers.random(channels) < 0.5, 1.0, ranges)
    laid = ranges.reshape(-1, *[1] * (len(b.shape(x)) - 2))
    back = "Div" if b.choices.chance(50) else "Mul"
    apart = constant(b, laid if back == "Div" else 1 / laid, "range")
    y = b.node("Mul", [x, apart]) if b.choices.chance(60) else b.node("Div", [x, apart])
    return batch_norm(b, y) if b.choices.chance(30) else b.node(back, [y, apart])


def old_softmax(b: Builder, x: str) -> str:
    """Softmax and LogSoftmax; by default over all axes from axis 1 up to opset 12, or the last."""
    if len(b.shape(x)) < 2:
        raise NotApplicableError("no axis 1")
    given: dict[str, object] = {"axis": b.choices.between(0, len(b.shape(x)) - 1)}
    op = b.choices.of(["Softmax", "LogSoftmax"])
    return b.node(op, [x], given if b.choices.chance(50) else {})


def fork(b: Builder, x: str) -> str:
    """The value is read once more: by an operator that takes nothing, or by the caller."""
    b.values.append(b.node(b.choices.of(["Tanh", "Relu", "Neg", "Identity", "Exp"]), [x]))
    return b.node(b.choices.of(["Identity", "Relu"]), [x])


def power(b: Builder, x: str) -> str:
    """A power, of a positive value mostly: x * x, Pow, Sqrt, Reciprocal."""
    if b.dtype == TensorProto.BFLOAT16:
        raise NotApplicableError("what rounding does to a power of 8 bits is not judged")
    if b.choices.chance(75):
        x = b.node(b.choices.of(["Exp", "Abs", "Sigmoid"]), [x])
        x = batch_norm(b, x) if len(b.shape(x)) > 1 and b.choices.chance(60) else x
    op = b.choices.of(["Sqrt", "Reciprocal", "Pow", "Pow", "Mul"])
    if op == "Mul":
        return b.node(op, [x, x])
    if op != "Pow":
        return b.node(op, [x])
    exponent = np.array(b.choices.of([2.0, 0.5, 3.0, -1.0, -0.5, 1.5, 4.0, 0.0]))
    return b.node(op, [x, constant(b, exponent, "p")])


POWERS = [(3, power), (1, batch_norm)]
MOTIFS = [
    (8, scalar_affine),
    (2, lift),
    (3, vector_product),
    (10, same_conv),
    (8, ceiling_pool),
    (8, odd_resize),
    (6, raw),
    (2, old_softmax),
    (6, fork),
]
ANY_RANK = frozenset((scalar_affine, lift, vector_product, fork))
