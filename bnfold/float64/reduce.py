"""Reductions, cumulative sums and rankings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from bnfold.float64.call import Array, Call, Operator
from bnfold.float64.moments import mean

Reduction = Callable[[Array, tuple[int, ...], bool], Array]


def reduction(function: Reduction) -> Operator:
    """A Reduce* operator; no axes means all of them, or none with `noop_with_empty_axes`."""

    def run(call: Call) -> Array:
        x, axes = call[0], call.axes()
        if not axes and call.integer("noop_with_empty_axes", 0):
            return x if call.op_type in _KEEP_WITHOUT_AXES else function(x[None], (0,), False)
        over = tuple(axes) if axes else tuple(range(x.ndim))
        return np.asarray(function(x, over, bool(call.integer("keepdims", 1))), x.dtype)

    return run


_KEEP_WITHOUT_AXES = ("ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum")


def _bounds(dtype: np.dtype[Any]) -> tuple[Any, Any]:
    """The least and the greatest value of a dtype: what an empty set's extremes are."""
    if dtype.kind == "f":
        return -np.inf, np.inf
    if dtype == np.bool_:
        return False, True
    return np.iinfo(dtype).min, np.iinfo(dtype).max


def _maximum(x: Array, axes: tuple[int, ...], keepdims: bool) -> Array:
    return np.asarray(x.max(axis=axes, keepdims=keepdims, initial=_bounds(x.dtype)[0]))


def _minimum(x: Array, axes: tuple[int, ...], keepdims: bool) -> Array:
    return np.asarray(x.min(axis=axes, keepdims=keepdims, initial=_bounds(x.dtype)[1]))


def _mean(x: Array, axes: tuple[int, ...], keepdims: bool) -> Array:
    return mean(x, axes, keepdims=keepdims)


def _log_sum_exp(x: Array, axes: tuple[int, ...], keepdims: bool) -> Array:
    top = _maximum(x, axes, keepdims=True)
    top = np.where(np.isfinite(top), top, 0.0)
    sums = np.log(np.exp(x - top).sum(axis=axes, keepdims=True)) + top
    return np.asarray(sums if keepdims else sums.squeeze(axis=axes))


def arg_extreme(largest: bool) -> Operator:
    """ArgMax or ArgMin; of equals the first or, with `select_last_index`, the last."""

    def run(call: Call) -> Array:
        x, axis = call[0], call.integer("axis", 0)
        find = np.argmax if largest else np.argmin
        keep = bool(call.integer("keepdims", 1))
        if not call.integer("select_last_index", 0):
            return np.asarray(find(x, axis=axis, keepdims=keep), np.int64)
        last = x.shape[axis] - 1 - find(np.flip(x, axis), axis=axis, keepdims=keep)
        return np.asarray(last, np.int64)

    return run


def cum_sum(call: Call) -> Array:
    """CumSum, forwards or in reverse, with or without the element itself."""
    x, axis = call[0], int(call[1].reshape(()))
    reverse = bool(call.integer("reverse", 0))
    x = np.flip(x, axis) if reverse else x
    y = np.cumsum(x, axis=axis, dtype=x.dtype)
    if call.integer("exclusive", 0):
        y = y - x
    return np.flip(y, axis) if reverse else y


def top_k(call: Call) -> Sequence[Array]:
    """TopK; of equals the lower index comes first."""
    x, axis = call[0], call.integer("axis", -1)
    k = call.integer("k", 1) if call.opset < 10 else int(call[1].reshape(()))
    largest = bool(call.integer("largest", 1))
    if largest:  # a stable sort of the reversed axis, reversed, keeps low indices first
        order = np.flip(np.argsort(np.flip(x, axis), axis=axis, kind="stable"), axis)
        order = x.shape[axis] - 1 - order
    else:
        order = np.argsort(x, axis=axis, kind="stable")
    indices = np.take(order, np.arange(k), axis=axis).astype(np.int64)
    return [np.take_along_axis(x, indices, axis), indices]


OPERATORS: Mapping[str, Operator] = {
    "ArgMax": arg_extreme(largest=True),
    "ArgMin": arg_extreme(largest=False),
    "CumSum": cum_sum,
    "ReduceL1": reduction(lambda x, axes, keep: np.abs(x).sum(axis=axes, keepdims=keep)),
    "ReduceL2": reduction(lambda x, axes, keep: np.sqrt((x * x).sum(axis=axes, keepdims=keep))),
    "ReduceLogSum": reduction(lambda x, axes, keep: np.log(x.sum(axis=axes, keepdims=keep))),
    "ReduceLogSumExp": reduction(_log_sum_exp),
    "ReduceMax": reduction(_maximum),
    "ReduceMean": reduction(_mean),
    "ReduceMin": reduction(_minimum),
    "ReduceProd": reduction(lambda x, axes, keep: x.prod(axis=axes, keepdims=keep)),
    "ReduceSum": reduction(lambda x, axes, keep: x.sum(axis=axes, keepdims=keep)),
    "ReduceSumSquare": reduction(lambda x, axes, keep: (x * x).sum(axis=axes, keepdims=keep)),
    "TopK": top_k,
}
