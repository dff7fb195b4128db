"""Faults as people make them, each planted in one layer of a network and then folded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

import bnfold

Array = np.ndarray[Any, np.dtype[Any]]
Fault = Callable[[onnx.ModelProto, int], onnx.ModelProto]
"""A copy of the network, folded, wrong in the layer of that index."""


def folded(model: onnx.ModelProto) -> onnx.ModelProto:
    """The correct fold."""
    return bnfold.fold(model).to_proto()


def epsilon(value: float) -> Fault:
    """The batch norm was read with another epsilon."""

    def plant(model: onnx.ModelProto, layer: int) -> onnx.ModelProto:
        wrong = _copy(model)
        del _norm(wrong, layer).attribute[:]
        _norm(wrong, layer).attribute.append(helper.make_attribute("epsilon", value))
        return folded(wrong)

    return plant


def mean_dropped(model: onnx.ModelProto, layer: int) -> onnx.ModelProto:
    """One channel's mean was taken for zero."""
    wrong = _copy(model)
    return folded(_changed(wrong, _norm(wrong, layer).input[3], lambda m: _set(m, 0, 0.0)))


def channels_swapped(model: onnx.ModelProto, layer: int) -> onnx.ModelProto:
    """Two channels got each other's parameters."""
    wrong = _copy(model)
    for name in _norm(wrong, layer).input[1:]:
        _changed(wrong, name, lambda p: p[[1, 0, *range(2, len(p))]])
    return folded(wrong)


def relu_lost(model: onnx.ModelProto, layer: int) -> onnx.ModelProto:
    """An activation went with the batch norm."""
    wrong = _copy(model)
    relus = [node for node in wrong.graph.node if node.op_type == "Relu"]
    relus[layer].op_type = "Identity"
    return folded(wrong)


def channel_off(model: onnx.ModelProto, layer: int) -> onnx.ModelProto:
    """One output channel's folded weights are 1e-3 too large."""
    return _weights_changed(model, layer, lambda w: _scaled(w, np.s_[0]))


def tap_off(model: onnx.ModelProto, layer: int) -> onnx.ModelProto:
    """One single folded weight, the largest of its channel, is 1e-3 too large."""

    def change(weight: Array) -> Array:
        top = np.unravel_index(np.argmax(np.abs(weight[0])), weight[0].shape)
        return _scaled(weight, (0, *top))

    return _weights_changed(model, layer, change)


def bfloat16_weights(model: onnx.ModelProto, layer: int) -> onnx.ModelProto:
    """The folded weights lost their last 16 bits."""
    mask = np.uint32(0xFFFF0000)
    return _weights_changed(
        model, layer, lambda w: (w.astype(np.float32).view(np.uint32) & mask).view(np.float32)
    )


def float16_bias(model: onnx.ModelProto, layer: int) -> onnx.ModelProto:
    """The folded bias went through float16."""
    right = folded(model)
    name = _absorber(right, layer).input[2]
    return _changed(right, name, lambda b: b.astype(np.float16).astype(b.dtype))


def leaking_shift(model: onnx.ModelProto, layer: int) -> onnx.ModelProto:
    """A shift was folded into the padded Conv that follows, as if nothing were padded."""
    wrong = _copy(model)
    norm = _norm(wrong, layer)
    conv = next(node for node in wrong.graph.node if node.input[0] == norm.output[0])
    scale, shift, mean, variance = (_array(wrong, name) for name in norm.input[1:])
    s = scale / np.sqrt(variance + norm.attribute[0].f)
    t = shift - mean * s
    weight = _array(wrong, conv.input[1])
    _changed(wrong, conv.input[2], lambda b: b + np.einsum("oihw,i->o", weight, t))
    _changed(wrong, conv.input[1], lambda w: w * s[:, None, None])
    conv.input[0] = norm.input[0]
    wrong.graph.node.remove(norm)
    return folded(wrong)


FAULTS: Mapping[str, Fault] = {
    "epsilon dropped": epsilon(0.0),
    "epsilon 1e-4 for 1e-5": epsilon(1e-4),
    "one channel's weights off by 1e-3": channel_off,
    "one single weight off by 1e-3": tap_off,
    "one channel's mean dropped": mean_dropped,
    "bias rounded to float16": float16_bias,
    "weights truncated to bfloat16": bfloat16_weights,
    "a Relu lost": relu_lost,
    "two channels swapped": channels_swapped,
}
"""Those that can be planted wherever a Conv is followed by a batch norm and a Relu."""


def _weights_changed(
    model: onnx.ModelProto, layer: int, change: Callable[[Array], Array]
) -> onnx.ModelProto:
    right = folded(model)
    return _changed(right, _absorber(right, layer).input[1], change)


def _scaled(weight: Array, where: Any) -> Array:
    weight = weight.copy()
    weight[where] *= 1.001
    return weight


def _set(vector: Array, index: int, value: float) -> Array:
    vector = vector.copy()
    vector[index] = value
    return vector


def _copy(model: onnx.ModelProto) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    return copy


def _norm(model: onnx.ModelProto, layer: int) -> onnx.NodeProto:
    return [node for node in model.graph.node if node.op_type == "BatchNormalization"][layer]


def _absorber(model: onnx.ModelProto, layer: int) -> onnx.NodeProto:
    return [node for node in model.graph.node if node.op_type in ("Conv", "Gemm")][layer]


def _array(model: onnx.ModelProto, name: str) -> Array:
    stored = next(tensor for tensor in model.graph.initializer if tensor.name == name)
    return numpy_helper.to_array(stored)


def _changed(
    model: onnx.ModelProto, name: str, change: Callable[[Array], Array]
) -> onnx.ModelProto:
    """The model itself, with another value in one initializer, in the dtype that it had.

    Raises:
        LookupError: nothing was planted, as what it is for is computed (a quantised weight is).
    """
    tensor = next((tensor for tensor in model.graph.initializer if tensor.name == name), None)
    if tensor is None:
        raise LookupError(f"no initializer is called {name!r}")
    old = numpy_helper.to_array(tensor)
    tensor.CopyFrom(numpy_helper.from_array(change(old).astype(old.dtype), name))
    return model
