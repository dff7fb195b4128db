"""Branches and joins: residuals, diamonds, gates, Split and Concat."""

from __future__ import annotations

import numpy as np

from tests.fold.property.builder import Builder, NotApplicableError
from tests.fold.property.constants import constant, integers
from tests.fold.property.motifs.affine import batch_norm
from tests.fold.property.motifs.linear import depthwise, pointwise
from tests.fold.property.motifs.pointwise import relu


def _partner(b: Builder, x: str) -> str:
    """Another value of the same shape: an older one, x itself, or a branch of x."""
    shape = b.shape(x)
    others = [v for v in b.values if v != x and b.shape(v) == shape]
    if others and b.choices.chance(50):
        return b.choices.of(others)
    if b.choices.chance(10):
        return x
    spatial = len(shape) in (3, 4, 5)
    other = b.choices.of([pointwise, depthwise])(b, x) if spatial else relu(b, x)
    return batch_norm(b, other) if b.choices.chance(60) else other


def add(b: Builder, x: str) -> str:
    other = _partner(b, x)
    op = b.choices.weighted([(50, "Add"), (30, "Sub"), (12, "Sum"), (8, "Mean")])
    inputs = [x, other] if b.choices.chance(50) else [other, x]
    if op in ("Sum", "Mean"):
        inputs += [_partner(b, x) for _ in range(b.choices.between(0, 1))]
    return b.node(op, inputs)


def residual(b: Builder, x: str) -> str:
    """x + batch_norm(conv(relu(batch_norm(conv(x)))))."""
    y = relu(b, batch_norm(b, pointwise(b, x)))
    return b.node("Add", [batch_norm(b, depthwise(b, y)), x])


def multiply(b: Builder, x: str) -> str:
    op = b.choices.of(["Mul", "Mul", "Div"])
    other = _partner(b, x)
    if op == "Div":
        one = constant(b, np.array(1.5), "one")
        other = b.node("Add", [b.node("Abs", [other]), one])
    return b.node(op, [x, other] if op == "Div" or b.choices.chance(50) else [other, x])


def gate(b: Builder, x: str) -> str:
    """Squeeze and excitation: x * sigmoid(conv(mean(x)))."""
    if len(b.shape(x)) not in (3, 4, 5):
        raise NotApplicableError("no space")
    y = b.node("GlobalAveragePool", [x])
    y = pointwise(b, y)
    if b.choices.chance(50):
        y = batch_norm(b, y)
    y = b.node("Sigmoid", [y])
    return b.node("Mul", [x, y] if b.choices.chance(50) else [y, x])


def broadcast(b: Builder, x: str) -> str:
    """A join with a value that broadcasts over the channels or over space."""
    rank = len(b.shape(x))
    axes = b.choices.of([[1], list(range(2, rank)) or [1]])
    if b.opset >= 18:
        y = b.node("ReduceMax", [x, integers(b, axes, "axes")])
    else:
        y = b.node("ReduceMax", [x], {"axes": axes})
    return b.node(b.choices.of(["Add", "Mul", "Sub"]), [x, y] if b.choices.chance(50) else [y, x])


def concat(b: Builder, x: str) -> str:
    shape = b.shape(x)
    axis = b.choices.of([1, 1, len(shape) - 1, 0])
    others = [
        v
        for v in b.values
        if len(b.shape(v)) == len(shape)
        and all(d == e for i, (d, e) in enumerate(zip(b.shape(v), shape, strict=True)) if i != axis)
    ]
    other = b.choices.of(others) if others else x
    parts = [x, other] if b.choices.chance(50) else [other, x]
    return b.node(
        "Concat",
        parts,
        {"axis": axis - len(shape) if b.opset >= 11 and b.choices.chance(20) else axis},
    )


def split(b: Builder, x: str) -> str:
    """Some parts go on as they are, some are normalised; then they may meet again."""
    shape = b.shape(x)
    axis = b.choices.of([1, 1, len(shape) - 1])
    if shape[axis] < 2:
        raise NotApplicableError("nothing to split")
    first = b.choices.between(1, shape[axis] - 1)
    sizes = [first, shape[axis] - first]
    if b.opset >= 13:
        parts = b.multi("Split", [x, integers(b, sizes, "sizes")], 2, {"axis": axis})
    else:
        parts = b.multi("Split", [x], 2, {"axis": axis, "split": sizes})
    changed = [batch_norm(b, part) if b.choices.chance(60) else part for part in parts]
    if b.choices.chance(60):
        return b.node("Concat", changed[:: b.choices.of([1, -1])], {"axis": axis})
    b.values.append(changed[1])
    return changed[0]


def siblings(b: Builder, x: str) -> str:
    """Two batch norms of one value, for two readers."""
    b.values.append(batch_norm(b, x))
    return batch_norm(b, x)


MOTIFS = [
    (12, add),
    (4, residual),
    (4, multiply),
    (3, gate),
    (3, broadcast),
    (8, concat),
    (6, split),
    (3, siblings),
]
