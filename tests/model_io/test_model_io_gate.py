"""The gate at loading: what the rest relies on holds, or a sentence says where it does not."""

from __future__ import annotations

import onnx
import onnx.parser
import pytest
from onnx import AttributeProto, TensorProto

from bnfold import model_io
from bnfold.errors import ModelError

HEAD = '<ir_version: 8, opset_import: ["": 17, "own": 1]>'


def parsed(text: str) -> onnx.ModelProto:
    return onnx.parser.parse_model(f"{HEAD} g {text}")


def conv() -> onnx.ModelProto:
    ones = ", ".join(["0.5"] * 16)
    return parsed(
        f"""(float[1,4,6,6] x) => (float[1,4,6,6] y) <float[4,4,1,1] w = {{{ones}}}>
        {{ [conv] y = Conv <group = 1> (x, w) }}"""
    )


def refused(model: onnx.ModelProto, why: str) -> None:
    with pytest.raises(ModelError, match=why) as caught:
        model_io.load(model)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


def test_the_model_that_the_others_change_is_accepted():
    assert len(model_io.load(conv()).graph) == 1


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("one", "'group' is of type STRING; the operator takes INT"),
        (1.0, "is of type FLOAT; the operator takes INT"),
        ([1], "is of type INTS; the operator takes INT"),
        (onnx.helper.make_tensor("t", 1, [1], [1.0]), "is of type TENSOR; the operator takes INT"),
    ],
)
def test_an_attribute_of_another_type_than_the_operators(value, why):
    model = conv()
    model.graph.node[0].attribute[0].CopyFrom(onnx.helper.make_attribute("group", value))
    refused(model, f"Conv 'conv': attribute {why}" if why.startswith("'") else why)


def test_an_attribute_that_holds_something_else_than_its_type():
    model = conv()
    model.graph.node[0].attribute[0].ints.append(1)
    refused(model, "is of type INT and holds i and ints")
    model = conv()
    attribute = model.graph.node[0].attribute.add(name="g", type=AttributeProto.GRAPH)
    refused(model, "is of type GRAPH and holds nothing")
    attribute.type = AttributeProto.UNDEFINED
    refused(model, "attribute 'g' has no type")
    attribute.ref_attr_name = "h"
    refused(model, "refers to a function's attribute, outside any function")


def test_an_old_file_may_leave_the_type_of_an_attribute_out():
    model = conv()
    model.graph.node[0].attribute[0].ClearField("type")
    loaded = model_io.load(model)
    assert loaded.graph[0].attributes["group"].as_int() == 1
    assert model.graph.node[0].attribute[0].type == AttributeProto.UNDEFINED  # the caller's own


def test_a_zero_may_be_left_out_by_who_wrote_the_file():
    model = parsed("(float[2,3] x) => (float[2,3] y) { y = Softmax <axis = 1> (x) }")
    model.graph.node[0].attribute[0].ClearField("i")
    assert model_io.load(model).graph[0].attributes["axis"].as_int() == 0


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("y = Conv (x)", "Conv '' has 1 inputs; the operator has 2 to 3"),
        ("y = Relu (x, x)", "Relu '' has 2 inputs; the operator has 1"),
        ("y, z = Relu (x)", "Relu '' has 2 outputs; the operator has 1"),
        ("y = Concat (x, x)", "has no attribute 'axis', which the operator needs"),
        ('y = Conv (x, "")', "leaves out its input 1, which the operator needs"),
        ('y = Where ("", x, x)', "leaves out its input 0"),
        ("y = own.f (x, x)", "f '' has 2 inputs; the operator has 0 to 1"),
    ],
)
def test_counts_that_the_operator_does_not_have(body, why):
    functions = '<opset_import: ["": 17], domain: "own"> f (a) => (b) { b = Relu (a) }'
    model = parsed(f"(float[3] x) => (float[3] y) {{ {body} }} {functions}")
    refused(model, why)


def test_a_function_may_be_called_as_an_operator_in_its_own_domain_only():
    text = """(float[3] x) => (float[3] y) { y = own.Conv (x) }
    <opset_import: ["": 17], domain: "own"> Conv (a) => (b) { b = Relu (a) }"""
    model = parsed(text)
    assert len(model_io.load(model).graph) == 1
    model.functions[0].domain = ""
    model.graph.node[0].domain = ""
    refused(model, "function 'Conv' is called as an operator of ONNX is")


def test_functions_that_call_themselves_or_grow_without_bound():
    def function(name: str, calls: str, times: int) -> str:
        body = " ".join(
            f"b{i} = own.{calls} ({'a' if i == 0 else f'b{i - 1}'})" for i in range(times)
        )
        head = f'<opset_import: ["own": 1, "": 17], domain: "own"> {name} (a) => (b{times - 1})'
        return f"{head} {{ {body} }}"

    head = "(float[3] x) => (float[3] y) { y = own.f0 (x) }"
    refused(parsed(f"{head} {function('f0', 'f1', 1)} {function('f1', 'f0', 1)}"), "calls itself")
    refused(parsed(f"{head} {function('f0', 'f0', 1)}"), "function 'f0' calls itself")
    leaf = '<opset_import: ["": 17], domain: "own"> f40 (a) => (b) { b = Relu (a) }'
    doubling = " ".join(function(f"f{i}", f"f{i + 1}", 2) for i in range(40))
    refused(parsed(f"{head} {doubling} {leaf}"), r"would be over 10\^12 nodes, over 65,536")
    chain = " ".join(function(f"f{i}", f"f{i + 1}", 1) for i in range(40))
    assert len(model_io.load(parsed(f"{head} {chain} {leaf}")).functions) == 41
    deep = " ".join(function(f"f{i}", f"f{i + 1}", 1) for i in range(80))
    refused(parsed(f"{head} {deep} {leaf.replace('f40', 'f80')}"), "more than 64 deep")


@pytest.mark.parametrize(
    "change",
    [
        lambda model: model.graph.node[0],
        lambda model: model.graph,
        lambda model: model.graph.initializer[0],
        lambda model: model.graph.node[0].attribute[0],
        lambda model: model.graph.input[0],
    ],
    ids=["node", "graph", "tensor", "attribute", "input"],
)
def test_bytes_that_are_no_text(change):
    model = conv()
    change(model).doc_string = "NOTTEXT"
    damaged = onnx.ModelProto.FromString(
        model.SerializeToString().replace(b"NOTTEXT", b"\xff\xfe\x80\x80\x80\x80\x80")
    )
    refused(damaged, "is not UTF-8 text")


def test_metadata_that_is_no_text():
    model = conv()
    model.metadata_props.add(key="k", value="NOTTEXT")
    damaged = model.SerializeToString().replace(b"NOTTEXT", b"\xff\xfe\x80\x80\x80\x80\x80")
    refused(onnx.ModelProto.FromString(damaged), "the model: the metadata .* is not UTF-8 text")


def test_a_long_name_is_cut_in_the_sentence():
    model = conv()
    model.graph.node[0].name = "\x1b[31m" + "n" * 1_000_000
    model.graph.node[0].input[1] = "v" * 1_000_000
    refused(model, r"'\\x1b\[31mnn+'\.\.\. \(1,000,005 characters\) reads 'vv+'\.\.\.")


def tensor_with(**fields: object) -> onnx.ModelProto:
    model = conv()
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, **fields)
    model.graph.initializer[0].CopyFrom(tensor)
    return model


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"dims": [1] * 65, "float_data": [1.0]}, "has 65 axes; 64 are the most"),
        ({"dims": [1 << 62, 1 << 62]}, "too large for any memory"),
        ({"dims": [0, 1 << 62, 1 << 62]}, "too large for any memory"),
        ({"dims": [2], "int32_data": [1, 2]}, "of type FLOAT has data in int32_data"),
        ({"dims": [2], "float_data": [1.0, 2.0], "int64_data": [1]}, "has data in int64_data too"),
        ({"dims": [1], "raw_data": b"1234", "float_data": [1.0]}, "has data in float_data too"),
        ({"dims": [1], "float_data": [1.0], "data_location": 1}, "in the model and in an external"),
        ({"dims": [1], "data_location": 1}, "that it does not name"),
    ],
)
def test_tensors_that_are_not_what_they_say(fields, why):
    refused(tensor_with(**fields), why)


@pytest.mark.parametrize(
    ("entries", "why"),
    [
        ({"location": "w.bin", "offset": "-1"}, "'-1', which is no number of bytes"),
        ({"location": "w.bin", "offset": "x"}, "'x', which is no number of bytes"),
        ({"location": "w.bin", "length": "9" * 40}, "which no file has"),
        ({"offset": "0"}, "does not name"),
    ],
)
def test_references_to_external_data_that_mean_nothing(entries, why):
    model = tensor_with(dims=[1], data_location=TensorProto.EXTERNAL)
    for key, value in entries.items():
        model.graph.initializer[0].external_data.add(key=key, value=value)
    refused(model, why)


def test_external_data_where_nobody_would_look_for_it():
    model = conv()
    attribute = model.graph.node[0].attribute.add(name="own", type=AttributeProto.TENSORS)
    tensor = attribute.tensors.add(name="t", data_type=1, dims=[1], data_location=1)
    tensor.external_data.add(key="location", value="/etc/passwd")
    refused(model, "is external, which only initializers and single tensors may be")
    tensor.data_type = TensorProto.STRING
    refused(model, "is text in an external file")


def test_shapes_without_elements_are_accepted():
    assert model_io.load(tensor_with(dims=[0, 4, 1, 1])).graph.initializers["w"].shape == [
        0,
        4,
        1,
        1,
    ]


@pytest.mark.parametrize("version", [0, -1, 1 << 40])
def test_an_opset_that_there_is_not(version):
    model = conv()
    model.opset_import[0].version = version
    refused(model, f"the model: imports version {version} of 'ai.onnx'")


def test_two_versions_of_one_domain():
    model = conv()
    model.opset_import.add(domain="ai.onnx", version=16)
    refused(model, "imports two versions of 'ai.onnx'")


def test_types_that_no_value_has():
    model = conv()
    model.graph.input[0].type.tensor_type.elem_type = 999
    refused(model, "the type of 'x' has the unknown data type 999")
    model = conv()
    for _ in range(65):
        model.graph.input[0].type.tensor_type.shape.dim.add(dim_value=1)
    refused(model, "has 69 axes; 64 are the most")


def nested(levels: int) -> bytes:
    """Graphs within graphs, by bytes: no protobuf writes so many."""
    inner = b""
    for _ in range(levels):
        attribute = _field(6, inner) + _field(1, b"body")
        node = _field(5, attribute) + _field(4, b"If")
        inner = _field(1, node)
    return b"\x08\x08" + _field(7, inner) + _field(8, b"\x10\x11")


def _field(number: int, content: bytes) -> bytes:
    size, length = len(content), b""
    while size >= 0x80:
        length += bytes([size & 0x7F | 0x80])
        size >>= 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + content


@pytest.mark.parametrize("levels", [32, 5_000])
def test_messages_in_messages_end_somewhere(tmp_path, levels):
    path = tmp_path / "deep.onnx"
    path.write_bytes(nested(levels))
    with pytest.raises(ModelError):
        model_io.load(path)


@pytest.mark.parametrize("number", [1, 5, 11, 13, 16])
def test_a_million_empty_fields(tmp_path, number):
    """Nodes, initializers, inputs, values, metadata: each is refused, or costs next to nothing."""
    path = tmp_path / "empty.onnx"
    prefix = bytes([number << 3 | 2]) if number < 16 else b"\x82\x01"
    path.write_bytes(b"\x08\x08" + _field(7, (prefix + b"\0") * 100_000) + _field(8, b"\x10\x11"))
    with pytest.raises(ModelError):
        model_io.load(path)


def test_a_node_on_a_device_that_is_declared_nowhere():
    """It could be read, and not be written again."""
    model = conv()
    model.graph.node[0].device_configurations.add()
    refused(model, "its device configuration '' is declared nowhere")
