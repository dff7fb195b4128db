"""Inputs to compare two models on, made from nothing but the inputs' types and a seed.

The kinds: signed normal numbers; a wide range, four decades of magnitudes in one tensor; impulses
at the corners and borders of an otherwise empty input, where a wrong shift at the padding shows;
zeros, where only biases speak.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bnfold.errors import DataError
from bnfold.verify.records import FeedRow
from bnfold.verify.signature import Array, TensorSpec, dims_text, numpy_dtype

Bounds = Mapping[str, tuple[int, int]]

PLAN = (
    ("normal", 2, 0),
    ("impulses", 1, 0),
    ("wide range", 2, 1),
    ("zeros", 1, 0),
    ("normal", 1, 1),
    ("impulses", 2, 1),
    ("normal", 3, 2),
    ("wide range", 1, 0),
)
"""Kind, batch, and the index of the sampled shape, for each sample; the first matter most."""

_SPATIAL = (64, 96, 224, 320, 33, 8)
_LENGTHS = (16, 24, 7, 64, 128, 1)


@dataclass(frozen=True)
class Feed:
    """One set of inputs by name; `seed` is None for the user's own."""

    name: str
    kind: str
    arrays: Mapping[str, Array]
    seed: tuple[int, ...] | None = None

    def row(self) -> FeedRow:
        """The record of it, without the numbers."""
        shapes = {name: array.shape for name, array in self.arrays.items()}
        return FeedRow(self.name, self.kind, self.seed, shapes)


def kind_of(index: int) -> tuple[str, int, int]:
    """Kind, batch and shape index of a sample; beyond the plan, normal numbers in new shapes."""
    return PLAN[index] if index < len(PLAN) else ("normal", 1 + index % 2, index % len(_SPATIAL))


def symbol_sizes(
    specs: Sequence[TensorSpec], pinned: Mapping[str, int], batch: int, turn: int
) -> dict[str, int]:
    """An extent for every symbolic dimension, by name (`input:axis` where it has none).

    Raises:
        DataError: a name in `pinned` is no dimension of the model, or an input has no known rank.
    """
    sizes: dict[str, int] = {}
    for spec in specs:
        if spec.dims is None:
            raise DataError(f"input {spec.name!r} has no known rank; give the models data")
        for axis, dim in enumerate(spec.dims):
            if isinstance(dim, int):
                continue
            ladder = _SPATIAL if len(spec.dims) >= 4 else _LENGTHS
            sampled = batch if axis == 0 else ladder[(turn + max(axis - 2, 0)) % len(ladder)]
            sizes.setdefault(dim or f"{spec.name}:{axis}", sampled)
    unknown = sorted(set(pinned) - set(sizes))
    if unknown:
        has = ", ".join(sizes) or "none"
        raise DataError(f"no dynamic dimension is called {unknown[0]!r}; the model has: {has}")
    return {**sizes, **pinned}


def make_feed(
    specs: Sequence[TensorSpec],
    sizes: Mapping[str, int],
    *,
    kind: str,
    index: int,
    seed: int,
    bounds: Bounds,
) -> Feed:
    """The arrays of one kind for all inputs; the same arguments give the same numbers."""
    arrays = {}
    for position, spec in enumerate(specs):
        shape = _shape(spec, sizes)
        rng = np.random.default_rng([seed, index, position])
        arrays[spec.name] = _array(spec, shape, kind, rng, bounds.get(spec.name, (0, 1)))
    return Feed(f"{index}: {kind}", kind, arrays, (seed, index))


def _shape(spec: TensorSpec, sizes: Mapping[str, int]) -> tuple[int, ...]:
    dims = spec.dims or ()
    return tuple(
        dim if isinstance(dim, int) else sizes[dim or f"{spec.name}:{axis}"]
        for axis, dim in enumerate(dims)
    )


def _array(
    spec: TensorSpec,
    shape: tuple[int, ...],
    kind: str,
    rng: np.random.Generator,
    bounds: tuple[int, int],
) -> Array:
    dtype = numpy_dtype(spec.dtype)
    if spec.dtype == "string":
        raise DataError(f"input {spec.name!r} takes strings; give the models data")
    if dtype.kind == "b":
        return np.zeros(shape, dtype) if kind == "zeros" else rng.random(shape) < 0.5
    if dtype.kind in "iu":
        low, high = bounds
        lowest = np.clip(0, low, high)
        drawn = rng.integers(low, high, shape, dtype=np.int64, endpoint=True)
        return (np.full(shape, lowest) if kind == "zeros" else drawn).astype(dtype)
    return _real(shape, kind, rng).astype(dtype)


def _real(shape: tuple[int, ...], kind: str, rng: np.random.Generator) -> Array:
    if kind == "zeros":
        return np.zeros(shape)
    if kind == "impulses":
        return _impulses(shape, rng)
    normal = rng.standard_normal(shape)
    if kind == "wide range":
        return np.asarray(normal * 10.0 ** rng.uniform(-3.0, 1.0, shape))
    return normal


def _impulses(shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Zero but for the corners, one element on each border, and one in the middle."""
    array = np.zeros(shape)
    space = shape[2:] if len(shape) > 2 else shape[1:]
    if not space or 0 in shape:
        return array
    places = {tuple(choice) for choice in rng.integers(0, 2, (8, len(space)))}
    spots = [tuple((size - 1) * bit for size, bit in zip(space, p, strict=True)) for p in places]
    middle = tuple(size // 2 for size in space)
    for axis, size in enumerate(space):
        spots += [(*middle[:axis], edge, *middle[axis + 1 :]) for edge in (0, size - 1)]
    for spot in (*spots, middle):
        channels = array[(..., *spot)].shape
        array[(..., *spot)] = 3.0 * rng.standard_normal(channels)
    return array


def misfit(spec: TensorSpec, array: Array) -> str | None:
    """Why the array cannot be fed to the input, with the shape wanted and got; None if it can."""
    wanted = numpy_dtype(spec.dtype)
    if array.dtype != wanted:
        return f"input {spec.name!r} wants {spec.dtype}, got {array.dtype}"
    dims = spec.dims
    if dims is None:
        return None
    fits = len(dims) == array.ndim and all(
        not isinstance(dim, int) or dim == size for dim, size in zip(dims, array.shape, strict=True)
    )
    got = dims_text(array.shape)
    return None if fits else f"input {spec.name!r} wants shape {dims_text(dims)}, got {got}"
