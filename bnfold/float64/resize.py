"""Resize and Upsample: interpolation is separable, so every axis gets one small matrix."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bnfold.float64.call import Array, Call, Operator


@dataclass(frozen=True)
class ResizedAxis:
    """One axis to resize: extents, the scale, and the part of the value that is looked at."""

    index: int
    size_in: int
    size_out: int
    scale: float
    roi: tuple[float, float]


@dataclass(frozen=True)
class Method:
    """The attributes that say how; their names are ONNX's."""

    mode: str
    coordinates: str
    nearest_mode: str
    cubic_coeff_a: float
    exclude_outside: bool
    antialias: bool


def resize(call: Call) -> Array:
    """Resize of every opset, and Upsample."""
    x, method = call[0], _method(call)
    # onnxruntime leaves an axis of scale 1 alone, also where a region of it is to be cropped
    axes = [axis for axis in _axes(call) if axis.size_in != axis.size_out or axis.scale != 1]
    y, outside = x, np.zeros([1] * x.ndim, np.bool_)
    for axis in axes:
        at = _coordinates(axis, method)
        beyond = (at < 0) | (at > axis.size_in - 1)
        outside = outside | beyond.reshape(-1, *[1] * (x.ndim - 1 - axis.index))
        y = _interpolate(y, axis, at, method)
    if method.coordinates == "tf_crop_and_resize":
        return np.where(outside, call.real("extrapolation_value", 0.0), y)
    return y


def _method(call: Call) -> Method:
    old = call.op_type == "Upsample" or call.opset < 11
    return Method(
        mode=call.text("mode", "nearest"),
        coordinates="asymmetric" if old else call.text(_COORDINATES, "half_pixel"),
        nearest_mode="simple" if old else call.text("nearest_mode", "round_prefer_floor"),
        cubic_coeff_a=call.real("cubic_coeff_a", -0.75),
        exclude_outside=bool(call.integer("exclude_outside", 0)),
        antialias=bool(call.integer("antialias", 0)),
    )


_COORDINATES = "coordinate_transformation_mode"


def _axes(call: Call) -> list[ResizedAxis]:
    """Extents and scales of the axes, from `scales` or `sizes` by whichever input or attribute."""
    x = call[0]
    indices = [a % x.ndim for a in call.integers("axes") or range(x.ndim)]
    old = call.op_type == "Upsample" or call.opset < 11
    scales = call.optional(1 if old else 2)
    if call.op_type == "Upsample" and call.opset < 9:
        scales = np.asarray(call.attributes.get("scales"), np.float64)
    roi = None if old else call.optional(1)
    bounds = np.zeros(0) if roi is None else roi
    if bounds.size != 2 * len(indices):
        bounds = np.repeat([0.0, 1.0], len(indices))
    extents = [x.shape[i] for i in indices]
    if scales is not None and scales.size:
        factors = [float(s) for s in scales]
        # in float32, as a run does: in float64 some extents come out one larger
        outs = [int(np.float32(n) * np.float32(s)) for n, s in zip(extents, factors, strict=True)]
    else:
        factors, outs = _fit(call, extents, call[3].tolist())
    return [
        ResizedAxis(i, n, out, s, (float(bounds[j]), float(bounds[len(indices) + j])))
        for j, (i, n, out, s) in enumerate(zip(indices, extents, outs, factors, strict=True))
    ]


def _fit(call: Call, extents: Sequence[int], sizes: Sequence[int]) -> tuple[list[float], list[int]]:
    """Scales and sizes for wanted `sizes`, stretched or, if asked, with the aspect kept."""
    ratios = [float(np.float32(s) / np.float32(n)) for s, n in zip(sizes, extents, strict=True)]
    policy = call.text("keep_aspect_ratio_policy", "stretch")
    if policy == "stretch":
        return ratios, list(sizes)
    # one ratio for all axes: what it makes of their extents is rounded, and `sizes` only bounds it
    ratio = min(ratios) if policy == "not_larger" else max(ratios)
    return [ratio] * len(sizes), [math.floor(ratio * n + 0.5) for n in extents]


def _coordinates(axis: ResizedAxis, method: Method) -> Array:
    """Where in the input each output position looks.

    For `nearest` in float32, as onnxruntime does: the last bit decides which element is copied.
    """
    real = np.float32 if method.mode == "nearest" else np.float64
    n, out, scale = axis.size_in, axis.size_out, real(axis.scale)
    y: Array = np.arange(out, dtype=real)
    match method.coordinates:
        case "half_pixel":
            at = (y + 0.5) / scale - 0.5
        case "pytorch_half_pixel":
            at = (y + 0.5) / scale - 0.5 if out > 1 else np.zeros(out)
        case "half_pixel_symmetric":
            at = n / 2 * (1 - out / (scale * n)) + (y + 0.5) / scale - 0.5
        case "asymmetric":
            at = y / scale
        case "align_corners":
            at = y * (n - 1) / max(out - 1, 1)
        case "tf_crop_and_resize":
            start, end = axis.roi
            step = (end - start) / (out - 1) if out > 1 else 0.0
            at = ((start if out > 1 else (start + end) / 2) + y * step) * (n - 1)
        case other:
            raise ValueError(f"coordinate_transformation_mode {other!r} is unknown")
    return np.asarray(at)


def _interpolate(x: Array, axis: ResizedAxis, at: Array, method: Method) -> Array:
    if method.mode == "nearest":
        index = np.clip(_nearest(at, axis, method.nearest_mode), 0, axis.size_in - 1)
        return np.take(x, index, axis=axis.index)
    y = np.tensordot(_weights(axis, at, method), x.astype(np.float64), axes=(1, axis.index))
    return np.asarray(np.moveaxis(y, 0, axis.index), x.dtype)


def _nearest(at: Array, axis: ResizedAxis, mode: str) -> Array:
    """The input position that an output position copies; `simple` is that of opsets before 11."""
    match mode:
        case "simple":
            return np.asarray(np.ceil(at) if axis.scale < 1 else np.floor(at), np.int64)
        case "round_prefer_floor":
            return np.asarray(np.ceil(at - 0.5), np.int64)
        case "round_prefer_ceil":
            return np.asarray(np.floor(at + 0.5), np.int64)
        case "floor":
            return np.asarray(np.floor(at), np.int64)
        case "ceil":
            return np.asarray(np.ceil(at), np.int64)
    raise ValueError(f"nearest_mode {mode!r} is unknown")


def _weights(axis: ResizedAxis, at: Array, method: Method) -> Array:
    """The matrix [out, in] of a linear or cubic resize; its rows sum to 1.

    Taps beyond the border read the border, or with `exclude_outside` nothing.
    """
    stretch = min(axis.scale, 1.0) if method.antialias else 1.0
    cubic = method.mode == "cubic"
    kernel = functools.partial(_cubic, A=method.cubic_coeff_a) if cubic else _triangle
    radius = math.ceil((2 if cubic else 1) / stretch)
    # shrinking with antialias widens the kernel, so that each input still counts somewhere
    taps = np.floor(at)[:, None].astype(np.int64) + np.arange(1 - radius, radius + 1)
    weights = kernel((taps - at[:, None]) * stretch)
    if method.exclude_outside:
        weights = np.where((taps >= 0) & (taps < axis.size_in), weights, 0.0)
    weights = weights / weights.sum(axis=1, keepdims=True)
    matrix = np.zeros((axis.size_out, axis.size_in))
    rows = np.arange(axis.size_out)[:, None]
    np.add.at(matrix, (rows, np.clip(taps, 0, axis.size_in - 1)), weights)
    return matrix


def _triangle(distance: Array) -> Array:
    return np.asarray(np.maximum(1 - np.abs(distance), 0.0))


def _cubic(distance: Array, A: float) -> Array:
    d = np.abs(distance)
    near = (A + 2) * d**3 - (A + 3) * d**2 + 1
    far = A * d**3 - 5 * A * d**2 + 8 * A * d - 4 * A
    return np.where(d <= 1, near, np.where(d < 2, far, 0.0))


OPERATORS: Mapping[str, Operator] = {"Resize": resize, "Upsample": resize}
