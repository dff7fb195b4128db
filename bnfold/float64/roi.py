"""RoiAlign: boxes of a value resampled to one size."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from bnfold.float64.call import Array, Call, Operator


def roi_align(call: Call) -> Array:
    """RoiAlign: x [N, C, H, W], rois [R, 4] as x1 y1 x2 y2, their batch [R] -> [R, C, oh, ow].

    Each output element averages `sampling_ratio`^2 interpolated points of its bin (as many as fit,
    if 0), or takes the largest *weighted corner* of them in mode `max`, as the operator's authors
    did. Before opset 16 positions are not moved by half an element and a box is at least 1 wide.
    """
    x, rois, batch = call[0], call[1], call[2]
    half = call.opset >= 16 and call.text(_COORDINATES, "half_pixel") == "half_pixel"
    out = (call.integer("output_height", 1), call.integer("output_width", 1))
    y = np.zeros((rois.shape[0], x.shape[1], *out))
    boxes = rois * call.real("spatial_scale", 1.0) - (0.5 if half else 0.0)
    for r, (box, n) in enumerate(zip(boxes, batch, strict=True)):
        y[r] = _one_box(call, x[int(n)], box, out, half)
    return y


_COORDINATES = "coordinate_transformation_mode"


def _one_box(call: Call, x: Array, box: Array, out: tuple[int, int], half: bool) -> Array:
    """[C, oh, ow] of one box of x [C, H, W]."""
    axes = []
    for axis, (low, high) in enumerate(((box[1], box[3]), (box[0], box[2]))):
        extent = high - low if half else max(high - low, 1.0)
        size = extent / out[axis]
        count = call.integer("sampling_ratio", 0) or max(math.ceil(size), 0)
        places = np.arange(out[axis])[:, None] + (np.arange(count) + 0.5) / max(count, 1)
        axes.append(_weights(low + places * size, x.shape[1 + axis]))
    (top, bottom, wt, wb), (left, right, wl, wr) = axes
    corners = [
        _product(wy, wx) * _corner(x, iy, ix)
        for iy, wy in ((top, wt), (bottom, wb))
        for ix, wx in ((left, wl), (right, wr))
    ]  # each [C, oh, sy, ow, sx]
    if call.text("mode", "avg") == "max":
        points = np.maximum.reduce(corners)
        return np.asarray(points.max(axis=(2, 4))) if points.size else np.zeros((x.shape[0], *out))
    total = np.add.reduce(corners).sum(axis=(2, 4))
    return np.asarray(total / max(top.shape[1] * left.shape[1], 1))


def _product(wy: Array, wx: Array) -> Array:
    return np.asarray(wy[:, :, None, None] * wx)


def _corner(x: Array, iy: Array, ix: Array) -> Array:
    return np.asarray(x[:, iy[:, :, None, None], ix])


def _weights(at: Array, n: int) -> tuple[Array, Array, Array, Array]:
    """Two neighbours and their weights for positions along one axis; 0 beyond -1 and n."""
    inside = (at >= -1) & (at <= n)
    at = np.maximum(at, 0)
    low = np.minimum(np.floor(at).astype(np.int64), n - 1)
    high = np.minimum(low + 1, n - 1)
    part = np.where(low >= n - 1, 0.0, at - low)
    return low, high, np.where(inside, 1 - part, 0.0), np.where(inside, part, 0.0)


OPERATORS: Mapping[str, Operator] = {"RoiAlign": roi_align}
