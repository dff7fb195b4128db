"""Blocks as networks have them: linear branches, recurrent layers, normalisations of the sample."""

from __future__ import annotations

import numpy as np

from tests.fold.property.builder import Builder, NotApplicableError
from tests.fold.property.constants import constant, dims_of, integers, scale, shift, weight
from tests.fold.property.motifs.affine import batch_norm
from tests.fold.property.motifs.linear import pointwise


def branches(b: Builder, x: str) -> str:
    """Parallel convolutions of one input, with batch norms or without, and x itself: added up."""
    rank, channels = len(b.shape(x)) - 2, dims_of(b, x)
    if rank not in (1, 2, 3):
        raise NotApplicableError("no space")
    group = b.choices.of([1, channels])
    parts = [
        _kernel(b, x, rank, group, size)
        for size in ([3, 1], [3, 1, 3], [1, 1])[b.choices.between(0, 2)]
    ]
    if b.choices.chance(40):
        parts.append(batch_norm(b, x) if b.choices.chance(70) else x)
    if b.choices.chance(15):
        given = {"kernel_shape": [3] * rank, "pads": [1] * 2 * rank, "count_include_pad": 1}
        parts.append(b.node("AveragePool", [x], given))
    if b.choices.chance(30):
        return b.node("Sum", parts)
    total = parts[0]
    for part in parts[1:]:
        total = b.node("Add", [total, part])
    return total


def _kernel(b: Builder, x: str, rank: int, group: int, size: int) -> str:
    channels = dims_of(b, x)
    inputs = [x, constant(b, weight(b, channels, channels // group, *[size] * rank), "w")]
    if b.choices.chance(50):
        inputs.append(constant(b, shift(b, channels), "b"))
    given: dict[str, object] = {"group": group} if group > 1 else {}
    if size == 3:
        given["pads"] = [1] * 2 * rank
    if b.choices.chance(8):
        given["dilations"] = [2] * rank
        given["pads"] = [size - 1] * 2 * rank
    y = b.node("Conv", inputs, given)
    return batch_norm(b, y) if b.choices.chance(65) else y


def bottleneck(b: Builder, x: str) -> str:
    """Linear layers in a row, with nothing between them."""
    y = pointwise(b, x)
    if b.choices.chance(40):
        y = batch_norm(b, y)
    rank, channels = len(b.shape(x)) - 2, dims_of(b, x)
    size = b.choices.of([3, 1])
    group = b.choices.of([1, channels])
    y = _kernel(b, y, rank, group, size)
    return pointwise(b, y) if b.choices.chance(40) else y


def dense_row(b: Builder, x: str) -> str:
    """Gemm or MatMul layers in a row."""
    if len(b.shape(x)) != 2:
        raise NotApplicableError("not a matrix")
    for _ in range(b.choices.between(2, 3)):
        out = b.choices.between(1, 5)
        matrix = constant(b, weight(b, b.shape(x)[1], out), "w")
        if b.choices.chance(50):
            x = b.node("Gemm", [x, matrix, constant(b, shift(b, out), "b")])
        else:
            x = b.node("MatMul", [x, matrix])
        if b.choices.chance(25):
            x = batch_norm(b, x)
    return x


def recurrent(b: Builder, x: str) -> str:
    """A batch norm, Transpose and an RNN, GRU or LSTM, as speech networks have them."""
    if len(b.shape(x)) != 3 or b.dtype == 16:
        raise NotApplicableError("not a sequence")
    if b.choices.chance(60):
        x = batch_norm(b, x)
    x = b.node("Transpose", [x], {"perm": [2, 0, 1]})
    op = b.choices.of(["GRU", "LSTM", "RNN"])
    gates = {"GRU": 3, "LSTM": 4, "RNN": 1}[op]
    hidden, features = b.choices.between(1, 3), b.shape(x)[2]
    both = b.choices.chance(30)
    directions = 2 if both else 1
    given: dict[str, object] = {"hidden_size": hidden}
    if both:
        given["direction"] = "bidirectional"
    if op == "GRU" and b.choices.chance(50):
        given["linear_before_reset"] = 1
    inputs = [
        x,
        constant(b, weight(b, directions, gates * hidden, features), "w"),
        constant(b, weight(b, directions, gates * hidden, hidden), "r"),
    ]
    if b.choices.chance(60):
        inputs.append(constant(b, b.numbers.normal(size=(directions, 2 * gates * hidden)), "b"))
    y = b.node(op, inputs, given)
    return b.node("Squeeze", [y, integers(b, [1], "axes")]) if b.opset >= 13 and not both else y


def normalizer(b: Builder, x: str) -> str:
    """A normalisation over the sample, most often with something linear behind it."""
    shape = b.shape(x)
    op = b.choices.of(["InstanceNormalization", "LayerNormalization"])
    if op == "InstanceNormalization":
        if len(shape) < 3:
            raise NotApplicableError("no space")
        inputs = [x, constant(b, scale(b, shape[1]), "g"), constant(b, shift(b, shape[1]), "b")]
        return b.node(op, inputs)
    if b.opset < 17:
        raise NotApplicableError("LayerNormalization is newer")
    axis = b.choices.of([-1, 1])
    extents = shape[axis:]
    inputs = [x, constant(b, 1 + 0.1 * b.numbers.normal(size=extents), "g")]
    if b.choices.chance(70):
        inputs.append(constant(b, b.numbers.normal(size=extents), "b"))
    return b.node(op, inputs, {"axis": axis})


def choice(b: Builder, x: str) -> str:
    """Max, Min and Where, of two values or with a constant."""
    if b.opset < 9:
        raise NotApplicableError("no broadcasting yet")
    op = b.choices.of(["Max", "Min", "Where"])
    other = constant(b, np.array(b.choices.of([0.0, 0.5, -1.0])), "c")
    if b.choices.chance(50):
        other = pointwise(b, x) if len(b.shape(x)) in (3, 4, 5) else b.node("Neg", [x])
        other = batch_norm(b, other) if b.choices.chance(50) else other
    operands = [x, other] if b.choices.chance(50) else [other, x]
    if op == "Where":
        zero = constant(b, np.array(0.0), "zero")
        operands.insert(0, b.node("Greater", [b.node("Sin", [x]), zero]))
    return b.node(op, operands)


def repeat(b: Builder, x: str) -> str:
    """Expand or Tile."""
    shape = b.shape(x)
    if b.choices.chance(50):
        pooled = b.node("GlobalAveragePool", [x]) if len(shape) in (3, 4, 5) else x
        return b.node("Expand", [pooled, integers(b, list(shape), "shape")])
    repeats = [1] * len(shape)
    repeats[b.choices.between(0, len(shape) - 1)] = 2
    return b.node("Tile", [x, integers(b, repeats, "repeats")])


MOTIFS = [
    (8, branches),
    (5, bottleneck),
    (3, dense_row),
    (4, recurrent),
    (3, normalizer),
    (5, choice),
    (3, repeat),
]
