"""GridSample and AffineGrid: values read at positions that the graph computes."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bnfold.float64.call import Array, Call, Operator

_CUBIC_A = -0.75


def grid_sample(call: Call) -> Array:
    """GridSample: x [N, C, *in] at grid [N, *out, r] -> [N, C, *out]; grid's last axis is x, y, z.

    As in onnxruntime a position beyond the border is first moved onto it (`border`, but for
    `cubic`) or mirrored (`reflection`), then each element beside it is read by the same rule.
    For `nearest` positions are float32 numbers, whose last bit decides what is copied.

    Raises:
        ValueError: the grid has not a coordinate for each axis.
    """
    x, grid = call[0], call[1]
    mode = call.text("mode", "bilinear" if call.opset < 20 else "linear")
    real = np.float32 if mode == "nearest" else np.float64
    padding, aligned = call.text("padding_mode", "zeros"), bool(call.integer("align_corners", 0))
    sizes, rank = x.shape[2:], grid.shape[-1]
    if rank != len(sizes):
        raise ValueError(f"the grid has {rank} coordinates for {len(sizes)} axes")
    axes = []
    for axis, n in enumerate(sizes):
        at = _denormalised(grid[..., rank - 1 - axis].astype(real), n, aligned)
        at = np.rint(at) if mode == "nearest" else at
        axes.append(_taps(_moved(at, n, mode, padding, aligned), n, mode, padding, aligned))
    y = np.zeros((*x.shape[:2], *grid.shape[1:-1]))
    batch = np.arange(x.shape[0]).reshape(-1, *[1] * rank)
    for taps in itertools.product(*axes):
        weight = np.prod(np.broadcast_arrays(*(w for _, w in taps)), axis=0)
        at_taps: Any = (batch, slice(None), *(index for index, _ in taps))
        read = x[at_taps]
        y += weight[:, None] * np.moveaxis(read, -1, 1)
    return y


def _denormalised(at: Array, n: int, aligned: bool) -> Array:
    """From [-1, 1] to positions: of the corner elements' centres, or of their outer edges."""
    at = at + at.dtype.type(1)
    half = at.dtype.type(2)
    return np.asarray(at / half * (n - 1) if aligned else (at * n - 1) / half)


def _moved(at: Array, n: int, mode: str, padding: str, aligned: bool) -> Array:
    low, high = (0.0, n - 1.0) if aligned else (-0.5, n - 0.5)
    beyond = (at < low) | (at > high)
    if padding == "border" and mode not in ("cubic", "bicubic"):
        return np.where(beyond, np.clip(at, 0, n - 1), at)
    if padding == "reflection":
        return np.where(beyond, _reflected(at, low, high), at)
    return at


def _reflected(at: Array, low: float, high: float) -> Array:
    """Mirrored at both ends until it lies within."""
    span = high - low
    if span == 0:
        return np.full_like(at, low)
    way = np.where(at < low, low - at, at - high)
    turns = np.floor(way / span)
    rest = way - turns * span
    even = turns % 2 == 0
    below, above = (
        np.where(even, low + rest, high - rest),
        np.where(even, high - rest, low + rest),
    )
    return np.where(at < low, below, np.where(at > high, above, at))


def _taps(
    at: Array, n: int, mode: str, padding: str, aligned: bool
) -> Sequence[tuple[Array, Array]]:
    """The elements to read along one axis, each an index and a weight, for all positions."""
    at = at.astype(np.float64)
    base = np.floor(at)
    part = at - base
    if mode == "nearest":
        steps = [(np.rint(at), np.ones_like(at))]
    elif mode in ("linear", "bilinear"):
        steps = [(base, 1 - part), (base + 1, part)]
    elif mode in ("cubic", "bicubic"):
        steps = [(base + k, _cubic(np.abs(part - k))) for k in (-1, 0, 1, 2)]
    else:
        raise ValueError(f"mode {mode!r} is unknown")
    return [_read(index, weight, n, padding, aligned) for index, weight in steps]


def _cubic(d: Array) -> Array:
    A = _CUBIC_A
    near = (A + 2) * d**3 - (A + 3) * d**2 + 1
    return np.where(d <= 1, near, A * d**3 - 5 * A * d**2 + 8 * A * d - 4 * A)


def _read(index: Array, weight: Array, n: int, padding: str, aligned: bool) -> tuple[Array, Array]:
    """An index within the axis; a weight of 0 for what `zeros` reads beyond it."""
    outside = (index < 0) | (index >= n)
    if padding == "zeros":
        weight = np.where(outside, 0.0, weight)
    elif padding == "reflection":
        low, high = (0.0, n - 1.0) if aligned else (-0.5, n - 0.5)
        index = np.where(outside, np.trunc(_reflected(index, low, high)), index)
    index = np.nan_to_num(index, nan=0.0)
    return np.clip(index, 0, n - 1).astype(np.int64), weight


def affine_grid(call: Call) -> Array:
    """AffineGrid: theta [N, r, r + 1], size [N, C, *out] -> positions [N, *out, r]."""
    theta, sizes = call[0], [int(n) for n in call[1]][2:]
    aligned = bool(call.integer("align_corners", 0))
    along = [_centres(n, aligned) for n in sizes]
    places = np.meshgrid(*along, indexing="ij")[::-1]
    points = np.stack([*places, np.ones(sizes)], axis=-1)
    y: Array = points.reshape(1, -1, len(sizes) + 1) @ theta.swapaxes(1, 2)
    return y.reshape(theta.shape[0], *sizes, len(sizes))


def _centres(n: int, aligned: bool) -> Array:
    if aligned:
        return np.linspace(-1.0, 1.0, n)
    return (2 * np.arange(n) + 1) / n - 1


OPERATORS: Mapping[str, Operator] = {"AffineGrid": affine_grid, "GridSample": grid_sample}
