"""Models that say what no exporter says, one in each place where ONNX lets something be said.

Operators whose attributes and constants make no sense stand before and behind a batch norm; fields
of messages hold what contradicts others, or what nobody has defined.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import onnx
import onnx.parser
from onnx import TensorProto, helper, numpy_helper

Change = Callable[[onnx.ModelProto], object]
HEAD = '<ir_version: 9, opset_import: ["": 18, "own": 1]>'
_MOST, _LEAST = (1 << 63) - 1, -(1 << 63)
NUMBERS = (0, -1, 99, 1 << 31, _MOST, _LEAST)

# `x` is [1, 4, 6, 6]; names in capitals are constants, one each of the numbers above.
OPERATORS = (
    *(f"Conv <strides = [{n}, 1]> (x, eye)" for n in NUMBERS),
    *(f"Conv <dilations = [1, {n}]> (x, eye)" for n in NUMBERS),
    *(f"Conv <pads = [{n}, 0, 0, 0]> (x, eye)" for n in NUMBERS),
    *(f"Conv <group = {n}> (x, eye)" for n in NUMBERS),
    *(f"Conv <kernel_shape = [{n}, 1]> (x, eye)" for n in NUMBERS),
    'Conv <auto_pad = "SAME"> (x, eye)', "Conv <strides = [1]> (x, eye)",
    *(f"ConvTranspose <output_padding = [{n}, 0]> (x, eye)" for n in NUMBERS),
    *(f"ConvTranspose <output_shape = [{n}, 6]> (x, eye)" for n in NUMBERS),
    *(f"MaxPool <kernel_shape = [{n}, 1]> (x)" for n in NUMBERS),
    *(f"AveragePool <kernel_shape = [1, 1], strides = [{n}, 1]> (x)" for n in NUMBERS),
    *(f"AveragePool <kernel_shape = [1, 1], pads = [0, 0, {n}, 0]> (x)" for n in NUMBERS),
    *(f"Transpose <perm = [0, 1, 2, {n}]> (x)" for n in (*NUMBERS, 0)), "Transpose <perm = [1]> (x)",
    *(f"Softmax <axis = {n}> (x)" for n in NUMBERS), *(f"Flatten <axis = {n}> (x)" for n in NUMBERS),
    *(f"Concat <axis = {n}> (x, x)" for n in NUMBERS), *(f"Cast <to = {n}> (x)" for n in NUMBERS),
    *(f"Gather <axis = {n}> (x, ZERO)" for n in NUMBERS),
    *(f"DepthToSpace <blocksize = {n}> (x)" for n in NUMBERS),
    *(f"SpaceToDepth <blocksize = {n}> (x)" for n in NUMBERS),
    *(f"Split <num_outputs = {n}> (x)" for n in NUMBERS),
    *(f"LayerNormalization <axis = {n}> (x, s)" for n in NUMBERS),
    *(f"LRN <size = {n}> (x)" for n in NUMBERS), *(f"GroupNormalization <num_groups = {n}> (x, s, b)"
      for n in NUMBERS),
    *(f"Reshape (x, N{i})" for i in range(6)), *(f"Expand (x, N{i})" for i in range(6)),
    *(f"Tile (x, N{i})" for i in range(6)), *(f"Pad (x, N{i})" for i in range(6)),
    *(f"Pad (x, P{i})" for i in range(6)), *(f"Squeeze (x, N{i})" for i in range(6)),
    *(f"Unsqueeze (x, N{i})" for i in range(6)), *(f"ReduceMean (x, N{i})" for i in range(6)),
    *(f"Gather (x, N{i})" for i in range(6)), *(f"Split (x, N{i})" for i in range(6)),
    *(f"Slice (x, N{i}, N{j}, ZERO, N{k})" for i in (0, 1, 4) for j in (1, 5) for k in range(6)),
    *(f"Resize (x, , , S{i})" for i in range(6)), *(f"Trilu (x, N{i})" for i in range(6)),
    *(f"CumSum (x, N{i})" for i in range(6)), *(f"TopK <axis = 1> (x, N{i})" for i in range(6)),
    *(f"Clip (x, {low}, {high})" for low in ("nan", "inf", "text") for high in ("ninf", "nan")),
    *(f"BatchNormalization <epsilon = {e}> (x, s, b, m, v)" for e in ("-5.0", "1e38", "0.0")),
    *(f"BatchNormalization <training_mode = {n}> (x, s, b, m, v)" for n in NUMBERS),
    "BatchNormalization (x, nan4, b, m, v)", "BatchNormalization (x, s, b, m, negative4)",
    "BatchNormalization (x, s, b, m, inf4)", "BatchNormalization (x, one, b, m, v)",
    "BatchNormalization (x, empty, empty, empty, empty)", "BatchNormalization (x, eye, b, m, v)",
    "Mul (x, text)", "Add (x, empty)", "Add (x, nan)", "Div (x, zero)", "Pow (x, nan)", "PRelu (x, eye)",
    "Where (x, x, x)", "Not (x)", "Gemm (x, x)", "MatMul (x, text)", "Einsum <equation = \"ij...\"> (x)",
    'Einsum <equation = "abcd->dcbaa"> (x)', 'Einsum <equation = ""> (x)', "Identity (text)",
    "Sum (x, eye, s)", "Dropout (x, nan, s)", "QuantizeLinear (x, zero)", "DequantizeLinear (x, nan)",
    "Compress (x, empty)", "NonZero (x)", "Unique (x)", "Shape <start = 99> (x)", "Size (x)",
    "OneHot (x, N4, s)", "ScatterND (x, N1, s)", "GatherND (x, N4)", "GatherElements (x, N1)",
    "RandomNormal <shape = [-1]> ()", "EyeLike (x)", "Constant ()", "SequenceEmpty ()",
    "SequenceConstruct (x, x)", "Optional (x)", "StringNormalizer (text)", "NoSuchOperator (x)",
)  # fmt: skip


def _tensors() -> Iterator[TensorProto]:
    arrays = {
        "eye": np.eye(4, dtype=np.float32).reshape(4, 4, 1, 1),
        "ZERO": np.array([0]), "one": np.ones(1, np.float32), "zero": np.array(0, np.float32),
        "empty": np.zeros(0, np.float32), "nan": np.array(np.nan, np.float32),
        "inf": np.array(np.inf, np.float32), "ninf": np.array(-np.inf, np.float32),
        "nan4": np.full(4, np.nan, np.float32), "inf4": np.full(4, np.inf, np.float32),
        "negative4": np.full(4, -9, np.float32),
    }  # fmt: skip
    for i, number in enumerate(NUMBERS):
        arrays[f"N{i}"] = np.array([number])
        arrays[f"P{i}"] = np.array([0, 0, number, 0, 0, 0, 1, 0])
        arrays[f"S{i}"] = np.array([1, 4, number, 6])
    for name, array in arrays.items():
        yield numpy_helper.from_array(array, name)
    yield helper.make_tensor("text", TensorProto.STRING, [1], [b"text"])


def _model(body: str) -> onnx.ModelProto:
    model = onnx.parser.parse_model(
        f"""{HEAD} g (float[1,4,6,6] x) => (float[a,c,h,w] y)
        <float[4] s = {{1.0, 2.0, 3.0, 4.0}}, float[4] b = {{1.0, 2.0, 3.0, 4.0}},
        float[4] m = {{0.0, 0.5, 0.0, 0.0}}, float[4] v = {{1.0, 2.0, 1.0, 1.0}}> {{ {body} }}"""
    )
    used = {name for node in model.graph.node for name in node.input}
    model.graph.initializer.extend(tensor for tensor in _tensors() if tensor.name in used)
    return model


def plain() -> onnx.ModelProto:
    """A model that folds, for the changes below."""
    return _model("k = Conv (x, eye) n = BatchNormalization (k, s, b, m, v) y = Relu (n)")


def operators() -> Iterator[tuple[str, bytes]]:
    """Each operator before and behind a batch norm that a convolution could take."""
    for operator in OPERATORS:
        behind = operator.replace("(x", "(n").replace(" x", " n")
        before = "o = {} k = Conv (o, eye) y = BatchNormalization (k, s, b, m, v)"
        after = "k = Conv (x, eye) n = BatchNormalization (k, s, b, m, v) o = {} y = Relu (o)"
        yield f"{operator} before", _model(before.format(operator)).SerializeToString()
        yield f"{operator} behind", _model(after.format(behind)).SerializeToString()


def _external(**entries: str) -> Change:
    def change(model: onnx.ModelProto) -> None:
        tensor = next(t for t in model.graph.initializer if t.name == "eye")
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in entries.items():
            tensor.external_data.add(key=key, value=value)

    return change


def _typed(kind: onnx.TypeProto) -> Change:
    return lambda model: model.graph.input[0].type.CopyFrom(kind)


def _function(text: str, call: str = "f") -> Change:
    def change(model: onnx.ModelProto) -> None:
        other = onnx.parser.parse_model(
            f"{HEAD} g (float[1] x) => (float[1] y) {{ y = Relu (x) }} {text}"
        )
        model.functions.extend(other.functions)
        model.graph.node[-1].op_type, model.graph.node[-1].domain = call, "own"

    return change


def _first(model: onnx.ModelProto, name: str) -> onnx.NodeProto:
    return next(node for node in model.graph.node if node.op_type == name)


_IMPORTS = '<opset_import: ["own": 1, "": 18], domain: "own">'
_FLOAT = helper.make_tensor_type_proto(TensorProto.FLOAT, [1, 4, 6, 6])
CHANGES: dict[str, Change] = {
    **{f"opset {n}": lambda m, n=n: setattr(m.opset_import[0], "version", n)
       for n in (*NUMBERS, 1, 6, 7, 999)},
    "no opsets": lambda m: m.ClearField("opset_import"),
    "two opsets": lambda m: m.opset_import.add(domain="ai.onnx", version=9),
    **{f"IR version {n}": lambda m, n=n: setattr(m, "ir_version", n) for n in (*NUMBERS, 1, 2, 3)},
    "no IR version": lambda m: m.ClearField("ir_version"),
    "training info": lambda m: m.training_info.add(),
    "sparse initializer": lambda m: m.graph.sparse_initializer.add(),
    "a segment": lambda m: m.graph.initializer[0].segment.SetInParent(),
    "a dangling annotation": lambda m: m.graph.quantization_annotation.add(tensor_name="nobody"),
    "an empty annotation": lambda m: m.graph.quantization_annotation.add(),
    **{f"data type {n}": lambda m, n=n: setattr(m.graph.initializer[0], "data_type", n)
       for n in (0, 8, 14, 16, 17, 22, 23, 99, -1, (1 << 31) - 1)},
    **{f"attribute type {n}": lambda m, n=n: m.graph.node[0].attribute.add(name="group", i=1, type=n)
       for n in (0, 1, 3, 4, 5, 11, 13, 14)},
    "100,000 metadata": lambda m: [m.metadata_props.add(key=str(i), value="v") for i in range(100_000)],
    "metadata of 10 MB": lambda m: m.metadata_props.add(key="k", value="v" * 10_000_000),
    "metadata twice": lambda m: [m.metadata_props.add(key="k", value=v) for v in "ab"],
    "an initializer twice": lambda m: m.graph.initializer.append(m.graph.initializer[0]),
    "an input twice": lambda m: m.graph.input.append(m.graph.input[0]),
    "an output twice": lambda m: m.graph.output.append(m.graph.output[0]),
    "a node twice": lambda m: m.graph.node.append(m.graph.node[0]),
    "an output that is an input": lambda m: m.graph.output.append(m.graph.input[0]),
    "an output that is a weight": lambda m: m.graph.output.add(name="s"),
    "a weight that is an input": lambda m: m.graph.input.append(
        helper.make_tensor_value_info("s", TensorProto.FLOAT, [4])),
    "a cycle of one": lambda m: m.graph.node[0].input.__setitem__(0, "k"),
    "a cycle of three": lambda m: m.graph.node[0].input.__setitem__(0, "y"),
    "nodes from back to front": lambda m: m.graph.node.sort(key=lambda n: -ord(n.output[0][0])),
    "no outputs": lambda m: m.graph.ClearField("output"),
    "no inputs": lambda m: m.graph.ClearField("input"),
    "an output without a name": lambda m: m.graph.output[0].ClearField("name"),
    "an output without a type": lambda m: m.graph.output[0].ClearField("type"),
    "a device that is nowhere": lambda m: m.graph.node[0].device_configurations.add(
        configuration_id="nowhere"),
    "an overload": lambda m: setattr(m.graph.node[0], "overload", "another"),
    "100,000 inputs of a node": lambda m: m.graph.node[0].input.extend(["x"] * 100_000),
    "a sequence": _typed(helper.make_sequence_type_proto(_FLOAT)),
    "an optional": _typed(helper.make_optional_type_proto(_FLOAT)),
    "a map": _typed(helper.make_map_type_proto(TensorProto.INT64, _FLOAT)),
    "a sparse tensor": _typed(helper.make_sparse_tensor_type_proto(TensorProto.FLOAT, [1, 4, 6, 6])),
    "an opaque value": lambda m: m.graph.input[0].type.opaque_type.SetInParent(),
    "no type at all": lambda m: m.graph.input[0].ClearField("type"),
    "text as the input": _typed(helper.make_tensor_type_proto(TensorProto.STRING, [1, 4, 6, 6])),
    **{f"an input of [{n}]": _typed(helper.make_tensor_type_proto(TensorProto.FLOAT, [1, 4, n, 6]))
       for n in NUMBERS},
    "an extent called 3": _typed(helper.make_tensor_type_proto(TensorProto.FLOAT, ["3", 4, "3", 6])),
    **{f"data at {n!r}": _external(location=n) for n in (
        "", ".", "..", "/", "a/../../b", "..\\b", "C:\\b", "\\\\host\\b", "a" * 5000, "a\x00b",
        "m.onnx", "/proc/self/environ", "file:///etc/passwd", "sub/../m.onnx", "~/x", "nowhere", "d/")},
    **{f"data from {o} on, {n} bytes": _external(location="m.onnx", offset=o, length=n)
       for o in ("0", "-1", "1e3", "0x10", str(_MOST), "9" * 40, "", " 1", "64") for n in ("64", "-64", "0")},
    "data with keys nobody knows": _external(location="m.onnx", color="red", checksum="x"),
    "data without a location": _external(offset="0"),
    "a place of data that is not used": lambda m: m.graph.initializer[0].external_data.add(
        key="location", value="m.onnx"),
    "an unknown location of data": lambda m: m.graph.initializer[0].ParseFromString(
        m.graph.initializer[0].SerializeToString() + b"\x70\x07"),
    "a function without outputs": _function(f"{_IMPORTS} f (a) => () {{ b = Relu (a) }}"),
    "a function without nodes": _function(f"{_IMPORTS} f (a) => (a) {{ }}"),
    "a function of itself": _function(f"{_IMPORTS} f (a) => (b) {{ b = own.f (a) }}"),
    "functions of each other": _function(
        f"{_IMPORTS} f (a) => (b) {{ b = own.h (a) }} {_IMPORTS} h (a) => (b) {{ b = own.f (a) }}"),
    "two functions of one name": _function(f"{_IMPORTS} f (a) => (b) {{ b = Relu (a) }}" * 2),
    "a function that nobody calls": _function(f"{_IMPORTS} f (a) => (b) {{ b = own.f (a) }}", "h"),
    "a function of an attribute that it has not": _function(
        f"{_IMPORTS} f (a) => (b) {{ b = Softmax <axis: int = @nothing> (a) }}"),
    "a function with opset 999": _function(
        f"{_IMPORTS.replace('18', '999')} f (a) => (b) {{ b = Relu (a) }}"),
    "a function with too many inputs": _function(f"{_IMPORTS} f (a, c) => (b) {{ b = Add (a, c) }}"),
    "a branch that reads what comes later": lambda m: m.graph.node.insert(0, helper.make_node(
        "If", ["x"], ["early"],
        then_branch=helper.make_graph([helper.make_node("Relu", ["n"], ["p"])], "t", [],
                                      [helper.make_tensor_value_info("p", 1, None)]),
        else_branch=helper.make_graph([helper.make_node("Relu", ["x"], ["q"])], "e", [],
                                      [helper.make_tensor_value_info("q", 1, None)]))),
    "a branch that hides a name": lambda m: m.graph.node.append(helper.make_node(
        "If", ["x"], ["late"],
        then_branch=helper.make_graph([helper.make_node("Relu", ["x"], ["n"])], "t", [],
                                      [helper.make_tensor_value_info("n", 1, None)]),
        else_branch=helper.make_graph([helper.make_node("Relu", ["n"], ["q"])], "e", [],
                                      [helper.make_tensor_value_info("q", 1, None)]))),
    "a branch without outputs": lambda m: m.graph.node.append(helper.make_node(
        "If", ["x"], ["late"], then_branch=helper.make_graph([], "t", [], []),
        else_branch=helper.make_graph([], "e", [], []))),
}  # fmt: skip


def files() -> Iterator[tuple[str, bytes]]:
    """All of them, by what is odd in them."""
    yield from operators()
    for name, change in CHANGES.items():
        model = plain()
        change(model)
        yield name, model.SerializeToString()
    whole = plain().SerializeToString()
    yield "nothing", b""
    yield "text", b"<html>not a model</html>"
    yield "a model twice", whole + whole
    yield "a model and more", whole + b"\x00" * 64
    yield "an unknown field", whole + b"\xfa\x3f\x03abc"
