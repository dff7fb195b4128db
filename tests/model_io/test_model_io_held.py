"""Small tensors are held as arrays, and written again to the byte."""

from __future__ import annotations

import numpy as np
import onnx
import onnx.parser
import onnx_ir as ir
import pytest
from onnx import numpy_helper

from bnfold import model_io


def _model(*tensors: onnx.TensorProto) -> onnx.ModelProto:
    model = onnx.parser.parse_model(
        '<ir_version: 9, opset_import: ["" : 17]> g (float[2] x) => (float[2] y) { y = Relu(x) }'
    )
    model.graph.initializer.extend(tensors)
    return model


PLAIN = {
    "float32": numpy_helper.from_array(np.arange(6, dtype=np.float32).reshape(2, 3), "w"),
    "scalar": numpy_helper.from_array(np.array(2, dtype=np.int64), "w"),
    "bool": numpy_helper.from_array(np.array([True, False]), "w"),
    "bfloat16": onnx.TensorProto(name="w", data_type=16, dims=[2], raw_data=b"\x80?\x00@"),
}


@pytest.mark.parametrize("proto", PLAIN.values(), ids=PLAIN.keys())
def test_what_is_its_bytes_alone_is_an_array(proto):
    model = model_io.load(_model(proto))
    held = model.graph.initializers["w"].const_value
    assert isinstance(held, ir.Tensor)
    assert held.shape.numpy() == tuple(proto.dims)
    assert held.dtype.value == proto.data_type
    assert held.tobytes() == proto.raw_data
    assert model_io.to_proto(model).graph.initializer[0] == proto


FURTHER = {
    "documented": onnx.TensorProto(
        name="w", data_type=1, dims=[1], raw_data=b"\0\0\0\0", doc_string="why"
    ),
    "placed": onnx.TensorProto(
        name="w", data_type=1, dims=[1], raw_data=b"\0\0\0\0", data_location=0
    ),
    "typed": onnx.TensorProto(name="w", data_type=1, dims=[1], float_data=[1.5]),
    "packed": onnx.TensorProto(name="w", data_type=22, dims=[3], raw_data=b"\x21\x03"),
    "empty": onnx.TensorProto(name="w", data_type=1, dims=[0], raw_data=b""),
    "text": onnx.TensorProto(name="w", data_type=8, dims=[1], string_data=[b"a"]),
}


@pytest.mark.parametrize("proto", FURTHER.values(), ids=FURTHER.keys())
def test_what_says_more_is_written_as_it_was(proto):
    assert model_io.to_proto(model_io.load(_model(proto))).graph.initializer[0] == proto
