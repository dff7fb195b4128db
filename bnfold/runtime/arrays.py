"""Arrays to feed, made from nothing but an input's type, a shape, and a source of random numbers.

The kinds: signed normal numbers; a wide range, four decades of magnitudes in one tensor; impulses
at the corners and borders of an otherwise empty input, where a wrong shift at the padding shows;
zeros, where only biases speak. Masks are 1 everywhere in impulses, as most masks are, and 0 in
zeros. And kinds that reach what these leave at rest: pixels, from 0 to 255, the same with a minus,
and normal numbers times 1e-5, 100 and 10,000; and multiples of 1/2, on which roundings and
comparisons meet ties; and small ones about an offset of each channel, as brighter pictures have.

Real numbers can be had in a domain, for graphs that begin with a Log, Sqrt, Asin or Acosh.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from bnfold.errors import DataError
from bnfold.runtime.signature import Array, TensorSpec, numpy_dtype

_EDGE = 2.0**-10  # an open interval is left by so much, which float16 can tell from its ends

DOMAINS: Mapping[str, Callable[[Array], Array]] = {
    "": lambda x: x,
    "(-1,1)": lambda x: np.clip(np.tanh(x), _EDGE - 1.0, 1.0 - _EDGE),
    "[0,inf)": np.abs,
    "(0,1)": lambda x: np.clip(0.5 + 0.5 * np.tanh(x), _EDGE, 1.0 - _EDGE),
    "(1,inf)": lambda x: 1.0 + _EDGE + np.abs(x),
}
"""What real numbers are mapped by, for each domain; the first leaves them as they are."""


_WHOLE = ("impulses", "zeros")
"""Kinds in which a mask is the same everywhere."""

MOST_NUMBERS = 1 << 27  # in an input that is made up: half a GiB of float32


def make_array(
    spec: TensorSpec,
    shape: tuple[int, ...],
    kind: str,
    rng: np.random.Generator,
    bounds: tuple[int, int] = (0, 1),
    domain: str = "",
) -> Array:
    """An array for the input; integers lie within `bounds`, the ends included.

    `domain` is a key of `DOMAINS`, for real numbers.

    Raises:
        DataError: the input takes strings, or more numbers than can be made up.
    """
    counted = math.prod(max(extent, 1) for extent in shape)  # as NumPy counts, where one is 0 too
    if counted > MOST_NUMBERS:
        raise DataError(
            f"input {spec.name!r} of shape {list(shape)} would take {counted:,} numbers; "
            "pin its dimensions, or give data for it"
        )
    dtype = numpy_dtype(spec.dtype)
    if spec.dtype == "string":
        raise DataError(f"input {spec.name!r} takes strings; give data for it")
    if dtype.kind == "b":
        return np.full(shape, kind == "impulses") if kind in _WHOLE else rng.random(shape) < 0.5
    if dtype.kind in "iu":
        low, high = bounds
        lowest = np.clip(0, low, high)
        drawn = rng.integers(low, high, shape, dtype=np.int64, endpoint=True)
        if kind == "impulses" and (low, high) == (0, 1):
            return np.ones(shape, dtype)
        return (np.full(shape, lowest) if kind == "zeros" else drawn).astype(dtype)
    return np.asarray(DOMAINS[domain](_real(shape, kind, rng))).astype(dtype)


def _real(shape: tuple[int, ...], kind: str, rng: np.random.Generator) -> Array:
    if kind == "zeros":
        return np.zeros(shape)
    if kind == "impulses":
        return _impulses(shape, rng)
    if kind.endswith("pixels"):
        return np.asarray(rng.uniform(0.0, 255.0, shape) * (-1.0 if kind != "pixels" else 1.0))
    normal = rng.standard_normal(shape)
    if kind == "offset":
        return np.asarray(
            normal / 2.0 + rng.uniform(-2.0, 2.0, (*shape[:2], *[1] * len(shape[2:])))
        )
    if kind == "halves":
        return np.asarray(np.round(4.0 * normal) / 2.0)
    if kind == "wide range":
        return np.asarray(normal * 10.0 ** rng.uniform(-3.0, 1.0, shape))
    return np.asarray({"faint": 1e-5, "large": 1e2, "huge": 1e4}.get(kind, 1.0) * normal)


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
