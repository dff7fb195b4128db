"""Constants in all the ways a graph can hold them, with all the numbers a network can have."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper, numpy_helper

from tests.fold.property.builder import Array, Builder
from tests.fold.property.steps import stepped


def constant(b: Builder, array: Array, hint: str, dtype: int | None = None) -> str:
    """The array as an initializer, a Constant node, computed, shared, or overridable."""
    if b.steps and array.size and b.choices.chance(12):
        return stepped(b, array, hint, dtype)
    way = b.choices.weighted(
        [(76, "stored"), (8, "node"), (10, "computed"), (5, "shared"), (1, "overridable")]
    )
    if way == "shared":
        for tensor in [*b.initializers, *(b.parent.initializers if b.parent else ())]:
            kind = dtype or b.dtype
            if tuple(tensor.dims) == array.shape and tensor.data_type == kind:
                return tensor.name
    if way == "node":
        return _constant_node(b, array, hint, dtype)
    name = b.store(array, hint, dtype)
    if way == "overridable" and b.parent is None:
        b.overridable.append(name)
    return _computed(b, name, array) if way == "computed" else name


def _constant_node(b: Builder, array: Array, hint: str, dtype: int | None) -> str:
    name = b.store(array, hint, dtype)
    tensor = b.initializers.pop()
    b.nodes.append(helper.make_node("Constant", [], [name], value=tensor, name=b.name("n_const")))
    return name


def _computed(b: Builder, name: str, array: Array) -> str:
    """The constant behind a few nodes that leave its value as it is."""
    way = b.choices.of(["Identity", "Reshape", "Neg", "Cast", "Squeeze", "Add"])
    if way == "Reshape":
        shape = b.store(np.array(array.shape, dtype=np.int64), "cs")
        return b.node("Reshape", [name, shape])
    if way == "Neg":
        return b.node("Neg", [b.node("Neg", [name])])
    if way == "Cast":
        wide = b.node("Cast", [name], {"to": onnx.TensorProto.DOUBLE})
        stored = next(t for t in b.initializers if t.name == name)
        return b.node("Cast", [wide], {"to": stored.data_type})
    if way == "Squeeze" and b.opset >= 13:
        axes = b.store(np.array([0], dtype=np.int64), "ca")
        return b.node("Squeeze", [b.node("Unsqueeze", [name, axes]), axes])
    if way == "Add":
        stored = next(t for t in b.initializers if t.name == name)
        zero = b.store(np.zeros(()), "zero", stored.data_type)
        return b.node("Add", [name, zero])
    return b.node("Identity", [name])


def weight(b: Builder, *shape: int) -> Array:
    """Signed numbers of about unit scale; now and then a dead channel."""
    array = b.numbers.normal(size=shape)
    if b.choices.chance(5):
        array[0] = 0
    return array


def scale(b: Builder, channels: int) -> Array:
    """A gamma: mostly positive, else mixed signs, with zeros, tiny, or all alike."""
    array = b.numbers.uniform(0.5, 1.5, channels)
    kind = b.choices.weighted(
        [(45, "plain"), (30, "signs"), (6, "negative"), (6, "zeros"), (4, "tiny"), (9, "alike")]
    )
    if kind == "signs":
        array *= b.numbers.choice([-1, 1], channels)
    elif kind == "negative":
        array *= -1
    elif kind == "zeros":
        array[b.numbers.integers(channels)] = 0
    elif kind == "tiny":
        array[b.numbers.integers(channels)] *= 2.0**-10
    elif kind == "alike":
        array[:] = array[0]
    return array


def shift(b: Builder, channels: int) -> Array:
    """A beta or a mean: mostly random, else zero, or all alike."""
    kind = b.choices.weighted([(70, "plain"), (20, "zero"), (10, "alike")])
    array = b.numbers.normal(size=channels)
    if kind == "zero":
        array[:] = 0
    elif kind == "alike":
        array[:] = array[0]
    return array


def dims_of(b: Builder, name: str) -> int:
    """The number of channels of a value."""
    return int(b.shape(name)[1])


def integers(b: Builder, values: list[int], hint: str) -> str:
    """Shapes, axes, indices: stored, or a Constant node."""
    array = np.array(values, dtype=np.int64)
    if b.choices.chance(30):
        name = b.name(hint)
        tensor = numpy_helper.from_array(array, name)
        b.nodes.append(helper.make_node("Constant", [], [name], value=tensor))
        b.samples[name] = array
        return name
    return b.store(array, hint)


def linear_weight(b: Builder, array: Array, *, axis: int) -> str:
    """A weight; now and then in integers behind a DequantizeLinear, `axis` being its channels."""
    if b.opset < 13 or b.dtype != onnx.TensorProto.FLOAT or not b.choices.chance(6):
        return constant(b, array, "w")
    unsigned = b.choices.chance(30)
    largest = np.max(np.abs(array), initial=1e-3)
    step: Array = np.array(largest / 127)
    given: dict[str, object] = {}
    if b.choices.chance(60):
        others = tuple(i for i in range(array.ndim) if i != axis)
        step = np.maximum(np.max(np.abs(array), axis=others), 1e-3) / 127
        given["axis"] = axis
    shape = [-1 if i == axis else 1 for i in range(array.ndim)]
    laid = step.reshape(shape) if step.ndim else step
    integers = np.clip(np.rint(array / laid), -127, 127) + (128 if unsigned else 0)
    stored = b.store(integers.astype(np.uint8 if unsigned else np.int8), "q")
    inputs = [stored, b.store(step, "step")]
    if unsigned or b.choices.chance(50):
        zero = np.full(step.shape, 128 if unsigned else 0, np.uint8 if unsigned else np.int8)
        inputs.append(b.store(zero, "zp"))
    return b.node("DequantizeLinear", inputs, given)
