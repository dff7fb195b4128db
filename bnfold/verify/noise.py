"""Rounding noise on purpose: copies of a model whose weights are rounded once more.

A fold rounds each weight once more than the original did. What that costs at the output depends
on the network, and for a float16 model in a runtime that computes in float32 it is most of the
error. So the yardstick is the error of the original *and* of neighbours of it: copies in which a
weight stays or, in one of `TURNS`, goes to the next number of its dtype, up or down.

In which one is drawn for each weight, and in as many copies each has moved once: a channel whose
error is that of one constant, as a shift that a mean of 1000 went into, has its budget then. Drawn
in each copy anew, such a constant stays in six of them with a probability of 0.6.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx_ir as ir

from bnfold.runtime.signature import Array
from bnfold.verify.deciding import decides, numbers_of
from bnfold.verify.half import in_half

TURNS = 12
"""One move in so many copies has the variance of one correct rounding, 1/12 of a squared ulp."""

_BLOCK = 1 << 20  # elements drawn at one time, for the memory's sake

_TAKE_WEIGHTS = frozenset(
    {"Add", "BatchNormalization", "Conv", "ConvTranspose", "DequantizeLinear", "Div", "Gemm"}
    | {"GRU", "InstanceNormalization", "LSTM", "LayerNormalization", "MatMul", "Mul", "PRelu"}
    | {"RNN", "Sub"}
)


def neighbouring_weights(
    model: ir.Model,
    seed: tuple[int, ...],
    strength: int = 1,
    half: ir.DataType | None = None,
) -> Iterator[tuple[str, Array]]:
    """The floating-point weights of the main graph by name, each rounded once more.

    Sizes, and constants that decide by themselves, stay as they are, but for being in half
    precision where that is given, as all float32 are then.
    """
    *run, copy = seed
    rng = np.random.default_rng((*run, copy // TURNS))
    numbers = numbers_of(model)
    for name, value in model.graph.initializers.items():
        if value.const_value is None:
            continue
        is_weight = _is_weight(value) and not decides(value, numbers)
        is_narrowed = half is not None and value.dtype == ir.DataType.FLOAT
        if not is_weight and not is_narrowed:
            continue
        weight = value.const_value.numpy()
        if half is not None and is_narrowed:
            weight = in_half(weight, half)
        if is_weight:
            weight = rounded_again(weight, rng, copy % TURNS, strength)
        yield name, weight.astype(value.const_value.numpy().dtype)


def rounded_again(weight: Array, rng: np.random.Generator, turn: int, strength: int = 1) -> Array:
    """A copy with the elements of this turn so many ulp up or down, of `TURNS`.

    Zeros and what is not finite stay. The same numbers give the turns of one weight.
    """
    moved = np.array(weight, order="C", copy=True)
    flat = moved.reshape(-1)
    integers = flat.view(f"i{moved.dtype.itemsize}")  # counts a float's magnitude in ulp
    for start in range(0, flat.size, _BLOCK):
        draw = rng.random(min(_BLOCK, flat.size - start), dtype=np.float32)
        drawn, sign = np.divmod(draw * TURNS, 1.0)
        chosen = np.flatnonzero(drawn == turn)
        up = sign[chosen] < 0.5
        chosen += start
        values = flat[chosen].astype(np.float64)
        movable = np.isfinite(values) & (values != 0)
        integers[chosen[movable]] += np.where(up[movable], strength, -strength).astype(
            integers.dtype
        )
    return moved


def _is_weight(value: ir.Value) -> bool:
    """Whether a rounding of it is a rounding of the function: a shape or a size is left alone."""
    if value.dtype is None or not value.dtype.is_floating_point() or value.dtype.bitwidth < 16:
        return False
    readers = [node.op_type for node, _ in value.uses()]
    return bool(readers) and all(op in _TAKE_WEIGHTS for op in readers)
