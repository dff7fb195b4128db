"""How much an operator would make, told before it makes it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from fractions import Fraction

import numpy as np

from bnfold.float64.call import Array, Call


def broadcast(call: Call) -> int:
    """Elements of what broadcasting all inputs gives."""
    return math.prod(np.broadcast_shapes(*(x.shape for x in call.inputs if x is not None)))


def _whole(x: Array) -> list[int]:
    return [int(n) for n in x.reshape(-1)]


def _expand(call: Call) -> int:
    return math.prod(np.broadcast_shapes(call[0].shape, tuple(_whole(call[1]))))


def _tile(call: Call) -> int:
    return call[0].size * math.prod(_whole(call[1]))


def _fill(call: Call) -> int:
    return math.prod(_whole(call[0]))


def _scalar(x: Array) -> int | float:
    number: int | float = x.reshape(()).item()
    return number


def range_count(call: Call) -> int:
    """How many numbers a Range has; they are counted in double, as onnxruntime does.

    Raises:
        ValueError: the step is 0.
    """
    start, limit, delta = (_scalar(call[i]) for i in range(3))
    if delta == 0:
        raise ValueError("the step of a Range is 0")
    if isinstance(start, int) and isinstance(limit, int) and isinstance(delta, int):
        return max(math.ceil(Fraction(limit - start, delta)), 0)
    return max(math.ceil((limit - start) / delta), 0)


def _one_hot(call: Call) -> int:
    return call[0].size * int(call[1].reshape(()))


def _pad(call: Call) -> int:
    """All pads are positive and on every axis, at worst."""
    pads = (call.integers("pads") or []) if call.opset < 11 else _whole(call[1])
    axes = call.axes(3) or range(call[0].ndim)
    extents = list(call[0].shape)
    for i, axis in enumerate(axes):
        extents[axis] += max(pads[i], 0) + max(pads[i + len(axes)], 0)
    return math.prod(extents)


def _gather(call: Call) -> int:
    extent: int = call[0].shape[call.integer("axis", 0)]
    return call[0].size // max(extent, 1) * call[1].size


def _gather_nd(call: Call) -> int:
    x, indices, batch = call[0], call[1], call.integer("batch_dims", 0)
    depth: int = indices.shape[-1]
    return indices.size // max(depth, 1) * math.prod(x.shape[batch + depth :])


def _concat(call: Call) -> int:
    return sum(x.size for x in call.inputs if x is not None)


GROWING: Mapping[str, Callable[[Call], int]] = {
    "Concat": _concat,
    "ConstantOfShape": _fill,
    "Expand": _expand,
    "Gather": _gather,
    "GatherElements": lambda call: call[1].size,
    "GatherND": _gather_nd,
    "OneHot": _one_hot,
    "Pad": _pad,
    "Range": range_count,
    "Tile": _tile,
}


def products(call: Call, made: int) -> int:
    """Multiplications of a sum of products, or taps of a pool, that make `made` elements."""
    shapes = [x.shape for x in call.inputs if x is not None]
    match call.op_type:
        case "MatMul" | "MatMulInteger" | "Gemm" | "QLinearMatMul":
            return made * max(shapes[0], default=1)
        case "Conv" | "ConvInteger":
            return made * math.prod(shapes[1][1:])
        case "QLinearConv":
            return made * math.prod(shapes[3][1:])
        case "ConvTranspose":
            return math.prod(shapes[0]) * math.prod(shapes[1][1:])
        case "AveragePool" | "LpPool" | "MaxPool":
            return made * math.prod(call.integers("kernel_shape") or ())
        case "LRN":
            return made * call.integer("size", 1)
        case "Einsum":  # every axis may be a label of its own
            return math.prod(math.prod(shape) for shape in shapes)
    return made
