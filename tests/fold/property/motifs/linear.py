"""Conv, ConvTranspose, Gemm and MatMul with every attribute that enters the algebra."""

from __future__ import annotations

from tests.fold.property.builder import Builder, NotApplicableError
from tests.fold.property.constants import constant, dims_of, linear_weight, shift, weight

_OPTIONAL_BIAS = 11  # the opset since which a Gemm may leave C out


def _spatial_rank(b: Builder, x: str) -> int:
    rank = len(b.shape(x)) - 2
    if rank not in (1, 2, 3):
        raise NotApplicableError("no spatial axes")
    return rank


def _group(b: Builder, channels: int) -> int:
    divisors = [g for g in range(1, channels + 1) if channels % g == 0]
    return b.choices.of(divisors) if b.choices.chance(35) else 1


def _window(b: Builder, kernel: list[int]) -> dict[str, object]:
    """Pads, strides, dilations, left out where they are the defaults half of the time."""
    rank = len(kernel)
    given: dict[str, object] = {}
    if b.choices.chance(25):
        given["strides"] = [b.choices.between(1, 2) for _ in range(rank)]
    if b.choices.chance(20):
        given["dilations"] = [b.choices.between(1, 2) for _ in range(rank)]
    padding = b.choices.weighted(
        [
            (50, "none"),
            (25, "same"),
            (10, "random"),
            (5, "VALID"),
            (5, "SAME_UPPER"),
            (5, "SAME_LOWER"),
        ]
    )
    if padding == "same":
        given["pads"] = [k // 2 for k in kernel] * 2
    elif padding == "random":
        given["pads"] = [b.choices.between(0, 2) for _ in range(2 * rank)]
    elif padding != "none":
        given["auto_pad"] = padding
    if b.choices.chance(70):
        given["kernel_shape"] = kernel
    return given


def conv(b: Builder, x: str) -> str:
    rank, channels = _spatial_rank(b, x), dims_of(b, x)
    group = _group(b, channels)
    out = group * b.choices.between(1, 3) if group > 1 else b.choices.between(1, 6)
    kernel = [b.choices.of([1, 3, 2]) for _ in range(rank)]
    attributes = _window(b, kernel)
    if group > 1 or b.choices.chance(20):
        attributes["group"] = group
    inputs = [x, linear_weight(b, weight(b, out, channels // group, *kernel), axis=0)]
    return b.node("Conv", _with_bias(b, inputs, out), attributes)


def pointwise(b: Builder, x: str) -> str:
    """A 1x1 convolution that keeps the shape."""
    rank, channels = _spatial_rank(b, x), dims_of(b, x)
    inputs = [x, constant(b, weight(b, channels, channels, *[1] * rank), "w")]
    return b.node("Conv", _with_bias(b, inputs, channels))


def depthwise(b: Builder, x: str) -> str:
    rank, channels = _spatial_rank(b, x), dims_of(b, x)
    inputs = [x, constant(b, weight(b, channels, 1, *[3] * rank), "w")]
    attributes = {"group": channels, "pads": [1] * (2 * rank)}
    return b.node("Conv", _with_bias(b, inputs, channels), attributes)


def conv_transpose(b: Builder, x: str) -> str:
    rank, channels = _spatial_rank(b, x), dims_of(b, x)
    group = _group(b, channels)
    per_group = b.choices.between(1, 3)
    kernel = [b.choices.of([1, 2, 3]) for _ in range(rank)]
    attributes: dict[str, object] = {"group": group} if group > 1 else {}
    if b.choices.chance(50):
        attributes["strides"] = [b.choices.between(1, 2) for _ in range(rank)]
        if b.choices.chance(30) and all(s == 2 for s in attributes["strides"]):  # type: ignore[attr-defined]
            attributes["output_padding"] = [b.choices.between(0, 1) for _ in range(rank)]
    if b.choices.chance(25):
        attributes["pads"] = [b.choices.between(0, k - 1) for k in kernel] * 2
    if b.choices.chance(15):
        attributes["dilations"] = [b.choices.between(1, 2) for _ in range(rank)]
    inputs = [x, linear_weight(b, weight(b, channels, per_group, *kernel), axis=1)]
    return b.node("ConvTranspose", _with_bias(b, inputs, per_group * group), attributes)


def _with_bias(b: Builder, inputs: list[str], channels: int) -> list[str]:
    if b.choices.chance(60):
        return [*inputs, constant(b, shift(b, channels), "b")]
    return [*inputs, ""] if b.choices.chance(10) else inputs


def gemm(b: Builder, x: str) -> str:
    if len(b.shape(x)) != 2:
        raise NotApplicableError("not a matrix")
    out = b.choices.between(1, 6)
    attributes: dict[str, object] = {}
    if b.choices.chance(20):
        attributes["alpha"] = b.choices.of([0.5, -2.0, 1.0])
    if b.choices.chance(20):
        attributes["beta"] = b.choices.of([0.5, -2.0, 0.0])
    a = x
    if b.choices.chance(15):
        a = b.node("Transpose", [x], {"perm": [1, 0]})
        attributes["transA"] = 1
    rows, depth = b.shape(x)
    if b.choices.chance(10):  # the sum runs over what is x's first axis
        attributes["transA"] = 1 - int(attributes.get("transA", 0))  # type: ignore[call-overload]
        rows, depth = depth, rows
    transposed = b.choices.chance(50)
    if transposed:
        attributes["transB"] = 1
    matrix = weight(b, out, depth) if transposed else weight(b, depth, out)
    inputs = [a, linear_weight(b, matrix, axis=0 if transposed else 1)]
    shape = b.choices.of(["N", "none", "scalar", "1N", "M1", "MN", "empty"])
    if b.opset < _OPTIONAL_BIAS and shape in ("none", "empty"):
        shape = "N"
    shapes = {"N": (out,), "scalar": (), "1N": (1, out), "M1": (rows, 1), "MN": (rows, out)}
    if shape in shapes:
        inputs.append(constant(b, b.numbers.normal(size=shapes[shape]), "b"))
    elif shape == "empty":
        inputs.append("")
    return b.node("Gemm", inputs, attributes)


def matmul(b: Builder, x: str) -> str:
    """x @ W, now and then W @ x, W a matrix or a batch of them; often with an Add behind."""
    shape = b.shape(x)
    if len(shape) < 2:
        raise NotApplicableError("not a matrix")
    batch = list(shape[:-2]) if b.choices.chance(10) else []
    if b.choices.chance(20):
        rows = b.choices.between(1, 5)
        return b.node("MatMul", [constant(b, weight(b, *batch, rows, shape[-2]), "w"), x])
    out = b.choices.between(1, 6)
    matrix = weight(b, *batch, shape[-1], out)
    y = b.node("MatMul", [x, linear_weight(b, matrix, axis=matrix.ndim - 1)])
    if b.choices.chance(60):
        bias = constant(b, shift(b, out), "b")
        y = b.node("Add", [y, bias] if b.choices.chance(50) else [bias, y])
    return y


def product(b: Builder, x: str) -> str:
    """A product of two run-time values: nothing can absorb there."""
    shape = b.shape(x)
    perm = list(range(len(shape)))
    perm[-1], perm[-2] = perm[-2], perm[-1]
    return b.node("MatMul", [x, b.node("Transpose", [x], {"perm": perm})])


MOTIFS = [
    (14, conv),
    (6, pointwise),
    (4, depthwise),
    (6, conv_transpose),
    (12, gemm),
    (8, matmul),
    (1, product),
]
