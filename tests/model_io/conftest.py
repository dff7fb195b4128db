"""Models to load and save, and what makes two of them equal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import pytest

BIG = 40_000  # floats: 160 kB, so that the tensor is left in its file

TEXT = """
<ir_version: 10, opset_import: ["": 18, "own": 1], producer_name: "maker",
 producer_version: "1.2", domain: "some.where", model_version: 7, doc_string: "about the model",
 metadata_props: ["author": "me", "licence": "free"]>
main (float[batch, 4] x, bool flag, float[4] given = {1.0, 2.0, 3.0, 4.0})
  => (float[batch, 4] y, float[batch, 4] z)
<float[4] shared = {0.5, 1.5, 2.5, 3.5}, float[batch, 4] scaled>
{
  [scale] scaled = Mul (x, shared)
  y = own.twice <times = 2.0> (scaled)
  z = If (flag) <
    then_branch = yes () => (float[batch, 4] p)
      <float[1] inner = {3.0}> { p = Add (scaled, inner) },
    else_branch = no () => (float[batch, 4] q) { q = Sub (scaled, given) }
  >
}
<opset_import: ["": 18], domain: "own", doc_string: "twice or more">
twice <times> (a) => (b) { c = Constant <value_float: float = @times> () b = Mul (a, c) }
"""


@pytest.fixture
def small() -> onnx.ModelProto:
    """A model with nearly everything that a ModelProto can hold."""
    model = onnx.parser.parse_model(TEXT)
    graph = model.graph
    graph.doc_string = "about the graph"
    graph.metadata_props.add(key="of", value="the graph")
    graph.node[0].doc_string = "about the node"
    graph.node[0].metadata_props.add(key="of", value="the node")
    graph.initializer[0].doc_string = "about the tensor"
    graph.initializer[0].metadata_props.add(key="of", value="the tensor")
    graph.input[0].doc_string = "about the input"
    graph.input[0].type.tensor_type.shape.dim[0].denotation = "DATA_BATCH"
    graph.input[0].type.denotation = "TENSOR"
    graph.input[0].metadata_props.add(key="of", value="the input")
    graph.value_info[0].doc_string = "about the value"
    annotation = graph.quantization_annotation.add(tensor_name="scaled")
    annotation.quant_parameter_tensor_names.add(key="SCALE_TENSOR", value="shared")
    model.functions[0].metadata_props.add(key="of", value="the function")
    model.functions[0].value_info.add(name="c").type.tensor_type.elem_type = 1
    return model


@pytest.fixture
def large() -> onnx.ModelProto:
    """A model with large tensors: initializers, one in a Constant node, one in a subgraph."""
    model = onnx.parser.parse_model(
        """
        <ir_version: 8, opset_import: ["": 17]>
        main (float[40000] x, bool flag) => (float[40000] y)
        {
          c = Constant <value = float[1] {0.0}> ()
          a = Add (x, w)
          b = Add (a, c)
          y = If (flag) <
            then_branch = yes () => (float[40000] p) { p = Add (b, inner) },
            else_branch = no () => (float[40000] q) { q = Sub (b, half) }
          >
        }
        """
    )
    draw = np.random.default_rng(0)

    def tensor(name: str, dtype: type = np.float32) -> onnx.TensorProto:
        return onnx.numpy_helper.from_array(draw.normal(size=BIG).astype(dtype), name)

    model.graph.initializer.extend([tensor("w"), tensor("half")])
    model.graph.node[0].attribute[0].t.CopyFrom(tensor("c"))
    branch = model.graph.node[3].attribute[0].g
    branch.initializer.append(tensor("inner"))
    model.graph.initializer[0].doc_string = "about the weight"
    return model


def normal_form(proto: onnx.ModelProto) -> onnx.ModelProto:
    """The proto without what carries no meaning: how data is stored, order, empty strings."""
    copy = onnx.ModelProto()
    copy.CopyFrom(proto)
    _normalise(copy)
    return copy


def _normalise(message) -> None:
    if isinstance(message, onnx.TensorProto) and message.data_type != onnx.TensorProto.STRING:
        array = onnx.numpy_helper.to_array(message)
        plain = onnx.numpy_helper.from_array(array, message.name)
        for field in ("float_data", "int32_data", "int64_data", "double_data", "uint64_data"):
            message.ClearField(field)
        message.ClearField("data_location")
        message.ClearField("external_data")
        message.raw_data = plain.raw_data
    for field, value in list(message.ListFields()):
        if field.message_type is not None:
            repeated = hasattr(value, "add")
            for item in value if repeated else [value]:
                _normalise(item)
            if repeated and field.name in ("initializer", "value_info", "metadata_props"):
                ordered = sorted(value, key=lambda item: item.SerializeToString(deterministic=True))
                message.ClearField(field.name)
                getattr(message, field.name).extend(ordered)
        elif value == "":
            message.ClearField(field.name)


@pytest.fixture
def same() -> Callable[[onnx.ModelProto, onnx.ModelProto], bool]:
    """Whether two models say the same."""
    return lambda a, b: normal_form(a) == normal_form(b)


@pytest.fixture
def saved(tmp_path: Path, large: onnx.ModelProto) -> Path:
    """The large model in one file, in a folder of its own."""
    folder = tmp_path / "models"
    folder.mkdir()
    onnx.save(large, folder / "in.onnx")
    return folder / "in.onnx"


@pytest.fixture
def saved_external(tmp_path: Path, large: onnx.ModelProto) -> Path:
    """The large model with its weights in `weights.bin`."""
    folder = tmp_path / "external"
    folder.mkdir()
    copy = onnx.ModelProto()
    copy.CopyFrom(large)  # saving with external data empties the model
    onnx.save(
        copy,
        folder / "in.onnx",
        save_as_external_data=True,
        location="weights.bin",
        size_threshold=1000,
    )
    return folder / "in.onnx"
