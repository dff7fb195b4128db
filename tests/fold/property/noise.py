"""A model whose stored weights are off by one rounding: how much of a difference is rounding."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import onnx
import onnx_ir as ir
from onnx import numpy_helper

_ROUNDING = {
    onnx.TensorProto.FLOAT: 2.0**-24,
    onnx.TensorProto.FLOAT16: 2.0**-11,
    onnx.TensorProto.BFLOAT16: 2.0**-8,
    onnx.TensorProto.DOUBLE: 2.0**-53,
}
_FACTORS = (0.5, 1.0, 1.5, 2.0)  # of Resize and Upsample: shapes depend on them
_SMALLEST = {
    onnx.TensorProto.FLOAT: 2.0**-149,
    onnx.TensorProto.FLOAT16: 2.0**-24,
    onnx.TensorProto.BFLOAT16: 2.0**-133,
    onnx.TensorProto.DOUBLE: 0.0,
}


def perturbed(model: onnx.ModelProto, seed: int) -> onnx.ModelProto:
    """The model with every float constant moved by up to one rounding, held in float64.

    It is for the float64 interpreter only, which widens every constant: types no longer match.
    """
    moved = onnx.ModelProto()
    moved.CopyFrom(model)
    random = np.random.default_rng(seed)
    _perturb(moved.graph, random)
    for function in moved.functions:
        _perturb_nodes(function.node, random)
    return moved


def coarsest_rounding(model: onnx.ModelProto) -> float:
    """Of the dtypes that the model computes in."""
    kinds = {info.type.tensor_type.elem_type for info in (*model.graph.input, *model.graph.output)}
    return max((_ROUNDING[kind] for kind in kinds if kind in _ROUNDING), default=2.0**-24)


def _perturb(graph: onnx.GraphProto, random: np.random.Generator) -> None:
    for tensor in graph.initializer:
        _move(tensor, random)
    _perturb_nodes(graph.node, random)


def _perturb_nodes(nodes: Iterable[onnx.NodeProto], random: np.random.Generator) -> None:
    for node in nodes:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.TENSOR and node.op_type == "Constant":
                _move(attribute.t, random)
            elif attribute.type == onnx.AttributeProto.GRAPH:
                _perturb(attribute.g, random)


def _move(tensor: onnx.TensorProto, random: np.random.Generator) -> None:
    if tensor.data_type not in _ROUNDING:
        return
    values = ir.serde.deserialize_tensor(tensor).numpy().astype(np.float64)
    if values.ndim == 1 and np.all(np.isin(values, _FACTORS)):
        return
    signs = random.choice([-1.0, 1.0], values.shape) * random.uniform(0.5, 1, values.shape)
    with np.errstate(invalid="ignore"):
        step = np.maximum(np.abs(values) * _ROUNDING[tensor.data_type], _SMALLEST[tensor.data_type])
        wide = values + signs * step * (values != 0)
    name = tensor.name
    tensor.CopyFrom(numpy_helper.from_array(np.asarray(wide), name))
