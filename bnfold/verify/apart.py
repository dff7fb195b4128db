"""A graph without its large weights, which a session is given as they lie in memory.

The bytes of a graph that was changed would hold all of its weights once more, and onnxruntime
again when it reads them. So the large ones are named as data beside the graph, of a file that there
is not, and handed over as arrays.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx_ir as ir

from bnfold.runtime.signature import Array

LARGE = 1 << 16
"""Bytes from which on a weight stands apart."""

_PLAIN = frozenset(
    {ir.DataType.DOUBLE, ir.DataType.FLOAT, ir.DataType.FLOAT16, ir.DataType.INT8}
    | {ir.DataType.UINT8}
)


def set_apart(model: ir.Model) -> Mapping[str, ir.TensorProtocol]:
    """The graph, changed: its large weights are elsewhere; they are returned, by name."""
    weights = {}
    for name, value in model.graph.initializers.items():
        tensor = value.const_value
        if tensor is None or value.is_graph_input() or value.is_graph_output():
            continue
        if tensor.nbytes < LARGE or tensor.dtype not in _PLAIN:
            continue
        weights[name] = tensor
        value.const_value = ir.ExternalTensor(
            "apart",
            0,
            tensor.nbytes,
            tensor.dtype,
            shape=ir.Shape(tensor.shape.numpy()),
            name=name,
            base_dir="",
        )
    return weights


def in_memory(tensor: ir.TensorProtocol) -> Array:
    """The numbers as a runtime reads them, one after the other from an even address."""
    return np.require(tensor.numpy(), requirements=("C", "A"))
