"""Pools, reductions, Pad and Resize."""

from __future__ import annotations

import numpy as np

from tests.fold.property.builder import Builder, NotApplicableError
from tests.fold.property.constants import constant, integers


def _rank(b: Builder, x: str) -> int:
    rank = len(b.shape(x)) - 2
    if rank not in (1, 2, 3):
        raise NotApplicableError("no spatial axes")
    return rank


def pool(b: Builder, x: str) -> str:
    rank = _rank(b, x)
    op = b.choices.of(["MaxPool", "AveragePool"])
    kernel = [b.choices.of([2, 1, 3]) for _ in range(rank)]
    given: dict[str, object] = {"kernel_shape": kernel}
    if b.choices.chance(50):
        given["strides"] = [b.choices.between(1, 3) for _ in range(rank)]
    padding = b.choices.weighted(
        [(40, "none"), (45, "random"), (7, "SAME_UPPER"), (8, "SAME_LOWER")]
    )
    if padding == "random":
        given["pads"] = [b.choices.between(0, k - 1) for k in kernel * 2]
    elif padding != "none":
        given["auto_pad"] = padding
    if b.opset >= 10 and b.choices.chance(25):
        given["ceil_mode"] = 1
        given["strides"] = [min(k, b.choices.between(1, 3)) for k in kernel]
    if op == "AveragePool" and b.choices.chance(45):
        given["count_include_pad"] = 1
    if b.opset >= (10 if op == "MaxPool" else 19) and b.choices.chance(15):
        given["dilations"] = [b.choices.between(1, 2) for _ in range(rank)]
    if op == "MaxPool" and b.opset >= 8 and b.choices.chance(8):
        y, indices = b.multi(op, [x], 2, given)
        return b.node("Add", [y, b.node("Cast", [indices], {"to": b.dtype})])
    y = b.node(op, [x], given)
    if not np.all(np.isfinite(b.sample(y))):
        raise NotApplicableError("a window of padding alone")
    return y


def global_pool(b: Builder, x: str) -> str:
    _rank(b, x)
    return b.node(b.choices.of(["GlobalAveragePool", "GlobalMaxPool"]), [x])


def reduction(b: Builder, x: str) -> str:
    op = b.choices.of(["ReduceMean", "ReduceMax", "ReduceSum", "ReduceMin"])
    rank = len(b.shape(x))
    options = [list(range(2, rank)), [rank - 1], [-1], [1], list(range(rank))[1:]]
    axes = b.choices.of([option for option in options if option])
    given: dict[str, object] = {}
    if b.choices.chance(60):
        given["keepdims"] = b.choices.between(0, 1)
    if b.opset >= (13 if op == "ReduceSum" else 18):
        return b.node(op, [x, integers(b, axes, "axes")], given)
    return b.node(op, [x], {**given, "axes": axes})


def pad(b: Builder, x: str) -> str:
    shape = b.shape(x)
    mode = b.choices.of(["constant", "reflect", "edge"])
    widths = [0] * (2 * len(shape))
    for axis in range(1 if b.choices.chance(15) else 2, len(shape)):
        widths[axis] = b.choices.between(0, min(2, shape[axis] - 1))
        widths[axis + len(shape)] = b.choices.between(0, min(2, shape[axis] - 1))
    if b.choices.chance(8) and shape[-1] > 2:
        widths[-1] = -1
    value = b.choices.of([0.0, 1.5, -0.25]) if mode == "constant" else 0.0
    if b.opset < 11:
        given: dict[str, object] = {"mode": mode, "pads": widths}
        return b.node("Pad", [x], {**given, "value": value} if value else given)
    inputs = [x, integers(b, widths, "pads")]
    if value or (mode == "constant" and b.choices.chance(30)):
        inputs.append(constant(b, np.array(value), "fill"))
    return b.node(
        "Pad", inputs, {} if mode == "constant" and b.choices.chance(50) else {"mode": mode}
    )


def resize(b: Builder, x: str) -> str:
    rank = _rank(b, x)
    if rank == 3:
        raise NotApplicableError("not in three dimensions")
    factor = [b.choices.of([2.0, 1.0, 1.5, 0.5]) for _ in range(rank)]
    scales = b.store(np.array([1.0, 1.0, *factor], dtype=np.float32), "scales", 1)
    if b.opset < 9:
        raise NotApplicableError("Upsample takes an attribute")
    if b.opset < 11:
        op = "Upsample" if b.opset == 9 else "Resize"
        mode = b.choices.of(["nearest", "linear"])
        if min(factor) < 1:
            raise NotApplicableError("Upsample does not shrink")
        return b.node(op, [x, scales], {"mode": mode})
    mode = b.choices.of(["nearest", "linear", "cubic"])
    if mode == "cubic" and rank != 2:
        mode = "linear"
    given: dict[str, object] = {"mode": mode}
    if b.choices.chance(60):
        given["coordinate_transformation_mode"] = b.choices.of(
            ["asymmetric", "align_corners", "pytorch_half_pixel"]
        )
    if mode == "nearest" and b.choices.chance(50):
        given["nearest_mode"] = b.choices.of(["floor", "ceil", "round_prefer_ceil"])
    roi = b.store(np.zeros(0), "none", 1) if b.opset < 13 else ""
    return b.node("Resize", [x, roi, scales], given)


MOTIFS = [(12, pool), (4, global_pool), (4, reduction), (4, pad), (4, resize)]
