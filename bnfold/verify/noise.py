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
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from bnfold.runtime.signature import Array
from bnfold.verify.deciding import decides, numbers_of
from bnfold.verify.half import in_half

TURNS = 12
"""One move in so many copies has the variance of one correct rounding, 1/12 of a squared ulp."""

_BLOCK = 1 << 16  # elements drawn at one time: they stay in the processor's cache

_OF_CONSTANTS = 1  # tells their random numbers from those of initializers

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
    move = _Move.of(model, seed, strength, half)
    for name, value in model.graph.initializers.items():
        moved = None if value.const_value is None else move.moved(value, value.const_value)
        if moved is not None:
            yield name, moved


def move_constants(
    model: ir.Model,
    seed: tuple[int, ...],
    strength: int = 1,
    half: ir.DataType | None = None,
) -> None:
    """The graph, changed: the same of weights that are Constant nodes, as torch's exporter writes.

    Without, a table of frequencies that was rounded once more was different (3.8).
    """
    *run, copy = seed
    move = _Move.of(model, (*run, _OF_CONSTANTS, copy), strength, half)
    for node in list(model.graph):
        if node.op_type != "Constant" or "value" not in node.attributes:
            continue
        moved = move.moved(node.outputs[0], node.attributes["value"].as_tensor())
        if moved is not None:
            node.attributes["value"] = ir.AttrTensor("value", ir.tensor(moved))


@dataclass(frozen=True)
class _Move:
    """How the weights of one neighbour are moved, one after the other."""

    numbers: frozenset[ir.Value]
    rng: np.random.Generator
    turn: int
    strength: int
    half: ir.DataType | None

    @classmethod
    def of(
        cls, model: ir.Model, seed: tuple[int, ...], strength: int, half: ir.DataType | None
    ) -> _Move:
        *run, copy = seed
        rng = np.random.default_rng((*run, copy // TURNS))
        return cls(numbers_of(model), rng, copy % TURNS, strength, half)

    def moved(self, value: ir.Value, tensor: ir.TensorProtocol) -> Array | None:
        """The numbers of a constant of the graph; None where they stay as they are."""
        is_weight = _is_weight(value, tensor.dtype) and not decides(value, self.numbers)
        half = self.half if tensor.dtype == ir.DataType.FLOAT else None
        if not is_weight and half is None:
            return None
        weight = stored = tensor.numpy()
        if half is not None:
            weight = in_half(weight, half)
        if is_weight:
            weight = rounded_again(np.atleast_1d(weight), self.rng, self.turn, self.strength)
        return weight.reshape(stored.shape).astype(stored.dtype)


def rounded_again(weight: Array, rng: np.random.Generator, turn: int, strength: int = 1) -> Array:
    """A copy with the elements of this turn so many ulp up or down, of `TURNS`.

    Zeros and what is not finite stay. The same numbers give the turns of one weight.
    """
    moved = np.array(weight, order="C", copy=True)
    flat = moved.reshape(-1)
    integers = flat.view(f"i{moved.dtype.itemsize}")  # counts a float's magnitude in ulp
    for start in range(0, flat.size, _BLOCK):
        draw = rng.random(min(_BLOCK, flat.size - start), dtype=np.float32)
        draw *= TURNS
        draw -= turn  # exact where it comes to 0 to 1
        chosen = np.flatnonzero((draw >= 0) & (draw < 1))
        up = draw[chosen] < 0.5
        chosen += start
        values = flat[chosen].astype(np.float64)
        movable = np.isfinite(values) & (values != 0)
        integers[chosen[movable]] += np.where(up[movable], strength, -strength).astype(
            integers.dtype
        )
    return moved


def _is_weight(value: ir.Value, dtype: ir.DataType) -> bool:
    """Whether a rounding of it is a rounding of the function: a shape or a size is left alone."""
    if not dtype.is_floating_point() or dtype.bitwidth < 16:
        return False
    readers = [node.op_type for node, _ in value.uses()]
    return bool(readers) and all(op in _TAKE_WEIGHTS for op in readers)
