"""The same model with the last bit of its weights moved, or in a wider type."""

from __future__ import annotations

from collections.abc import Callable, Collection

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from tests.fold.property.builder import Array

_MOVED = (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16)
_NARROW = (TensorProto.FLOAT16, TensorProto.BFLOAT16)
_UNITS = {TensorProto.FLOAT16: 2.0**-10, TensorProto.BFLOAT16: 2.0**-7}
_SIZES = ("Resize", "Upsample")  # their scales decide on sizes


def nudged(model: onnx.ModelProto, seed: int, fixed: Collection[str]) -> onnx.ModelProto:
    """Every stored float one unit in the last place up or down, but those named and zeros."""
    random = np.random.default_rng(seed)
    kept = set(fixed) | {
        name for node in model.graph.node if node.op_type in _SIZES for name in node.input[1:]
    }

    def move(tensor: TensorProto) -> None:
        if tensor.data_type not in _MOVED or tensor.name in kept:
            return
        values = numpy_helper.to_array(tensor)
        signs = random.choice([-1.0, 1.0], values.shape)
        epsilon = _UNITS.get(tensor.data_type)
        with np.errstate(all="ignore"):
            if epsilon is None:
                moved: Array = np.nextafter(values, (signs * np.inf).astype(values.dtype))
            else:
                moved = (values.astype(np.float64) * (1 + signs * epsilon)).astype(values.dtype)
        moved = np.where(values == 0, values, moved).astype(values.dtype)
        tensor.CopyFrom(numpy_helper.from_array(np.asarray(moved), tensor.name))

    return _changed(model, move)


def narrow_unit(model: onnx.ModelProto) -> float:
    """The coarsest unit in the last place of the weights in 16 bits; 0 where there are none."""
    units = [0.0]
    _changed(model, lambda tensor: units.append(_UNITS.get(tensor.data_type, 0.0)))
    return max(units)


def widened(model: onnx.ModelProto) -> onnx.ModelProto:
    """What was in 16 bits is in 32."""

    def widen(tensor: TensorProto) -> None:
        if tensor.data_type in _NARROW:
            values = numpy_helper.to_array(tensor).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))

    wide = _changed(model, widen)
    for info in (*wide.graph.input, *wide.graph.output, *wide.graph.value_info):
        if info.type.tensor_type.elem_type in _NARROW:
            info.type.tensor_type.elem_type = TensorProto.FLOAT
    nodes = [*wide.graph.node, *(n for f in wide.functions for n in f.node)]
    for node in nodes:
        for attribute in node.attribute:
            if attribute.name in ("to", "output_dtype", "dtype") and attribute.i in _NARROW:
                attribute.i = TensorProto.FLOAT
    return wide


def _changed(model: onnx.ModelProto, change: Callable[[TensorProto], None]) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    _visit(copy.graph, change)
    for function in copy.functions:
        _visit_nodes(function.node, change)
    return copy


def _visit(graph: onnx.GraphProto, change: Callable[[TensorProto], None]) -> None:
    for tensor in graph.initializer:
        change(tensor)
    _visit_nodes(graph.node, change)


def _visit_nodes(nodes: Collection[onnx.NodeProto], change: Callable[[TensorProto], None]) -> None:
    for node in nodes:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.TENSOR and node.op_type == "Constant":
                attribute.t.name = node.output[0]
                change(attribute.t)
            elif attribute.type == onnx.AttributeProto.GRAPH:
                _visit(attribute.g, change)
