"""Tensors that a model holds itself, as arrays: asked for their shape and numbers again and again.

A protobuf message answers anew each time: with a shape, a type and a copy of the bytes.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from bnfold.model_io import walk

_FIELDS = {"dims", "data_type", "name", "raw_data"}
"""Of a message that an array stands for, to the byte once it is written again."""

_BYTE = 8  # bits


def hold_as_arrays(model: ir.Model) -> None:
    """Initializers that are nothing but their bytes are arrays over these."""
    for graph in walk.bodies(model):
        for value in graph.initializers.values():
            if isinstance(value.const_value, ir.TensorProtoTensor):
                value.const_value = _held(value.const_value)


def _held(tensor: ir.TensorProtoTensor) -> ir.TensorProtocol:
    fields = {field.name: content for field, content in tensor.raw.ListFields()}
    dtype = tensor.dtype
    if fields.keys() | {"dims"} != _FIELDS or not fields["raw_data"] or dtype.bitwidth < _BYTE:
        return tensor
    flat = np.frombuffer(fields["raw_data"], dtype.numpy().newbyteorder("<"))
    array = flat.reshape(tuple(fields.get("dims", ())))
    return ir.Tensor(array, dtype, name=fields["name"])
