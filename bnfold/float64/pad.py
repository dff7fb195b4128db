"""Pad in all its modes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bnfold.float64.call import Array, Call, Operator


def pad(call: Call) -> Array:
    """Pad: constant, reflect, edge or wrap; a negative pad crops first."""
    x, mode = call[0], call.text("mode", "constant")
    axes: list[int] | None = None
    value: Any = call.real("value", 0.0)
    if call.opset < 11:
        pads = call.integers("pads") or call.integers("paddings") or []
    else:
        pads = call[1].tolist()
        axes = call.axes(3)
        given = call.optional(2)
        value = x.dtype.type(0) if given is None or not given.size else given.reshape(-1)[0]
    axes = list(range(x.ndim)) if axes is None else [a % x.ndim for a in axes]
    widths, crops = [(0, 0)] * x.ndim, [slice(None)] * x.ndim
    for axis, begin, end in zip(axes, pads[: len(axes)], pads[len(axes) :], strict=True):
        crops[axis] = slice(max(-begin, 0), x.shape[axis] - max(-end, 0))
        widths[axis] = (max(begin, 0), max(end, 0))
    x = x[tuple(crops)]
    if mode == "constant":
        return np.pad(x, widths, constant_values=value)
    modes: Mapping[str, Any] = {"reflect": "reflect", "edge": "edge", "wrap": "wrap"}
    return np.pad(x, widths, mode=modes[mode])


OPERATORS: Mapping[str, Operator] = {"Pad": pad}
