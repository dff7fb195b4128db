"""Softmax and its relatives: along one axis since opset 13, over a flattened tail before."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from bnfold.float64.call import Array, Call, Operator


def along_axis(function: Callable[[Array], Array]) -> Operator:
    """An operator that treats the last axis of a matrix, given the operator's axis rule."""

    def run(call: Call) -> Array:
        x = call[0]
        if call.opset < 13:
            axis = call.integer("axis", 1)
            axis = axis + x.ndim if axis < 0 else axis
            return function(x.reshape(math.prod(x.shape[:axis]), -1)).reshape(x.shape)
        axis = call.integer("axis", -1)
        return np.moveaxis(function(np.moveaxis(x, axis, -1)), -1, axis)

    return run


def _log_softmax(x: Array) -> Array:
    shifted = x - x.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))


def _softmax(x: Array) -> Array:
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return np.asarray(e / e.sum(axis=-1, keepdims=True))


def _hardmax(x: Array) -> Array:
    y = np.zeros_like(x)
    np.put_along_axis(y, x.argmax(axis=-1)[..., None], 1, axis=-1)
    return y


OPERATORS: Mapping[str, Operator] = {
    "Hardmax": along_axis(_hardmax),
    "LogSoftmax": along_axis(_log_softmax),
    "Softmax": along_axis(_softmax),
}
