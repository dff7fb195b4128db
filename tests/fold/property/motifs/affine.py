"""Batch norms in every opset's form, and what exporters make of them."""

from __future__ import annotations

import numpy as np
import onnx

from tests.fold.property.builder import Array, Builder, NotApplicableError
from tests.fold.property.constants import constant, dims_of, scale, shift


def batch_norm(b: Builder, x: str) -> str:
    if len(b.shape(x)) < 2:
        raise NotApplicableError("no channels")
    channels = dims_of(b, x)
    kinds = _parameter_kinds(b)
    inputs = [x, constant(b, scale(b, channels), "gamma", kinds[0])]
    inputs.append(constant(b, shift(b, channels), "beta", kinds[0]))
    if b.choices.chance(6) and kinds[0] == kinds[1]:
        inputs.append(inputs[2])  # the same tensor as mean and beta
    else:
        inputs.append(constant(b, shift(b, channels), "mean", kinds[1]))
    variance = b.numbers.uniform(0.5, 2, channels)
    if b.choices.chance(5):
        variance[b.numbers.integers(channels)] = 0
    inputs.append(constant(b, variance, "var", kinds[1]))
    attributes: dict[str, object] = {}
    if b.choices.chance(30):
        attributes["epsilon"] = b.choices.of([1e-3, 1e-2, 2e-5])
    if b.choices.chance(30):
        attributes["momentum"] = 0.8
    if b.opset >= 14 and b.choices.chance(20):
        attributes["training_mode"] = 0
    if b.opset < 9 and b.choices.chance(40):
        attributes["spatial"] = 1
    return b.node("BatchNormalization", inputs, attributes)


def _parameter_kinds(b: Builder) -> tuple[int, int]:
    """The dtypes of gamma and beta, and of mean and variance: they may differ since opset 15."""
    if b.opset < 15 or not b.choices.chance(10):
        return b.dtype, b.dtype
    kinds = [b.dtype, onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE]
    return b.choices.of(kinds), b.choices.of(kinds)


def pair(b: Builder, x: str) -> str:
    """Two batch norms in a row."""
    return batch_norm(b, batch_norm(b, x))


def decomposed(b: Builder, x: str) -> str:
    """(x - mean) / deviation * gamma + beta, in the order and form that some exporter chose."""
    axis = b.choices.weighted([(75, 1), (25, len(b.shape(x)) - 1)])
    channels = b.shape(x)[axis]
    form = b.choices.of(["full", "scale-shift", "mul", "add", "sub", "div", "reversed"])

    def laid(values: Array) -> Array:
        return _laid(b, x, values, axis)

    if form == "full":
        x = _arithmetic(b, "Sub", x, laid(shift(b, channels)), swap=False)
        x = _arithmetic(b, "Div", x, laid(b.numbers.uniform(0.5, 2, channels)), swap=False)
    if form in ("full", "scale-shift"):
        x = _arithmetic(b, "Mul", x, laid(scale(b, channels)))
        return _arithmetic(b, "Add", x, laid(shift(b, channels)))
    if form == "reversed":
        return _arithmetic(b, "Sub", x, laid(shift(b, channels)), swap=True)
    values = b.numbers.uniform(0.5, 2, channels) if form == "div" else scale(b, channels)
    op = {"mul": "Mul", "add": "Add", "sub": "Sub", "div": "Div"}[form]
    return _arithmetic(b, op, x, laid(values), swap=False)


def _laid(b: Builder, x: str, values: Array, axis: int) -> Array:
    """A vector along one axis, with or without the axes before it; or one number."""
    rank = len(b.shape(x))
    form = b.choices.weighted([(50, "short"), (30, "full"), (20, "scalar")])
    if form == "scalar":
        return values[:1].reshape(b.choices.of([(), (1,)]))
    lead = (1,) * axis if form == "full" else ()
    return values.reshape((*lead, -1, *(1,) * (rank - axis - 1)))


def _arithmetic(b: Builder, op: str, x: str, values: Array, *, swap: bool | None = None) -> str:
    other = constant(b, values, op.lower())
    commutes = op in ("Mul", "Add")
    swapped = b.choices.chance(40) if swap is None and commutes else bool(swap)
    return b.node(op, [other, x] if swapped else [x, other])


def oddly_laid(b: Builder, x: str) -> str:
    """Constant arithmetic that only looks like a batch norm: along W, over all, over the batch."""
    shape = b.shape(x)
    laid = b.choices.of([shape[-1:], shape[1:], (shape[0],) + (1,) * (len(shape) - 1)])
    values = b.numbers.uniform(0.5, 2, laid)
    return _arithmetic(b, b.choices.of(["Mul", "Add"]), x, np.asarray(values))


MOTIFS = [(30, batch_norm), (3, pair), (12, decomposed), (3, oddly_laid)]
