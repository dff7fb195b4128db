"""Faults in constants: weights, rows and bounds."""

from __future__ import annotations

import numpy as np
import onnx

from benchmarks.drawn_pairs.editing import change, constants, nodes_of, picked
from benchmarks.drawn_pairs.graphs import Array, Rng


def entry_off(model: onnx.ModelProto, rng: Rng) -> bool:
    """One number is off by up to 1 %."""
    tensor = picked([t for t in constants(model).values() if np.prod(t.dims) > 1], rng)
    if tensor is None:
        return False
    factor = 1 + rng.choice([1e-2, -1e-2, 3e-3])
    place = int(rng.integers(np.prod(tensor.dims)))

    def off(array: Array) -> Array:
        array.reshape(-1)[place] *= factor
        return array

    change(tensor, off)
    return True


def channel_off(model: onnx.ModelProto, rng: Rng) -> bool:
    """One slice of a weight along its first axis is off by 1e-3."""
    tensor = picked([t for t in constants(model).values() if len(t.dims) > 1], rng)
    if tensor is None:
        return False
    place = int(rng.integers(tensor.dims[0]))

    def off(array: Array) -> Array:
        array[place] *= 1.001
        return array

    change(tensor, off)
    return True


def channels_swapped(model: onnx.ModelProto, rng: Rng) -> bool:
    """The first two slices of a constant have changed places."""
    every = constants(model).values()
    tensor = picked([t for t in every if len(t.dims) and t.dims[0] > 1], rng)
    if tensor is None:
        return False
    change(tensor, lambda array: array[[1, 0, *range(2, len(array))]])
    return True


def row_off(model: onnx.ModelProto, rng: Rng) -> bool:
    """One row of a table is off by 1e-3."""
    stored = constants(model)
    gather = picked([n for n in nodes_of(model, "Gather") if n.input[0] in stored], rng)
    if gather is None:
        return False
    place = int(rng.integers(stored[gather.input[0]].dims[0]))

    def off(array: Array) -> Array:
        array[place] *= 1.001
        return array

    change(stored[gather.input[0]], off)
    return True
