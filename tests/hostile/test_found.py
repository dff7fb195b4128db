"""What mutants have found: each crash stays as a test."""

from __future__ import annotations

import numpy as np
import onnx
import onnx.parser
import pytest

import bnfold
from bnfold.errors import DataError, InconclusiveError, ModelError

HEAD = '<ir_version: 8, opset_import: ["": 17]>'
NORM = "float[4] s = {1.0, 2.0, 1.0, 1.0}, float[4] b = {1.0, 2.0, 1.0, 1.0}"


@pytest.mark.parametrize("shape", [(), (4,)])
@pytest.mark.parametrize("operator", ["Conv", "ConvTranspose", "MatMul", "Gemm"])
def test_a_weight_of_too_few_axes_ends_no_fold(operator, shape):
    model = onnx.parser.parse_model(
        f"{HEAD} g (float[1,4,6,6] x) => (float[1,4,H,W] y) <{NORM}> "
        f"{{ a = {operator} (x, w) y = BatchNormalization (a, s, b, b, s) }}"
    )
    weight = np.ones(shape, np.float32)
    model.graph.initializer.append(onnx.numpy_helper.from_array(weight, "w"))
    assert bnfold.fold(model, check=False).ledger.batch_norms_after == 1


@pytest.mark.parametrize(
    ("rows", "kind", "said"),
    [
        (1 << 50, ModelError, r"its tensor 'y' needs over 2\^30 GiB of memory"),
        (1 << 18, DataError, r"would take 268,435,456 numbers"),
    ],
)
def test_an_input_that_is_too_large_is_not_made_up(rows, kind, said):
    model = onnx.parser.parse_model(
        f"{HEAD} g (float[{rows},1024] x) => (float[N,M] y) {{ y = Relu (x) }}"
    )
    with pytest.raises(kind, match=said):
        bnfold.verify(model, model)


@pytest.mark.slow
def test_a_loop_without_an_end_is_given_up():
    model = onnx.parser.parse_model(
        f"""{HEAD} g (float[2] x) => (float[2] y) <int64 trips = {{9223372036854775807}},
        bool go = {{1}}> {{ y = Loop (trips, go, x) <body = body (int64 i, bool c, float[2] h)
        => (bool d, float[2] k) {{ d = Identity (c) k = Relu (h) }}> }}"""
    )
    with pytest.raises(InconclusiveError, match="did not end within 6 s"):
        bnfold.verify(model, model)


@pytest.mark.parametrize("operand", ["s", "b", "m", "v"])
@pytest.mark.parametrize("kind", ["STRING", "COMPLEX64"])
def test_what_is_no_real_number_is_no_statistic(kind, operand):
    model = onnx.parser.parse_model(
        f"{HEAD} g (float[1,4,6,6] x) => (float[1,4,H,W] y) "
        "{ n = BatchNormalization (x, s, b, m, v) y = Mul (n, n) }"
    )
    for name in "sbmv":
        dtype = getattr(onnx.TensorProto, kind if name == operand else "FLOAT")
        values = [b"text"] * 4 if dtype == onnx.TensorProto.STRING else [1.0] * 4
        model.graph.initializer.append(onnx.helper.make_tensor(name, dtype, [4], values))
    assert bnfold.fold(model).ledger.batch_norms_after == 1


def test_a_proof_that_takes_more_memory_than_there_is_leaves_the_batch_norm():
    model = onnx.parser.parse_model(
        f"{HEAD} g (float[1,4,6,6] x) => (float[1,4,H,W] y) <{NORM}> "
        "{ a = Conv <pads = [1099511627776, 0, 0, 0]> (x, w) "
        "y = BatchNormalization (a, s, b, b, s) }"
    )
    weight = np.ones((4, 4, 1, 1), np.float32)
    model.graph.initializer.append(onnx.numpy_helper.from_array(weight, "w"))
    ledger = bnfold.fold(model, check=False).ledger
    assert ledger.batch_norms_after == 1
    assert not ledger.bugs


@pytest.mark.parametrize(("kind", "said"), [("GRAPH", "refers to a graph"), ("INT", "takes FLOAT")])
def test_a_reference_is_of_a_type_that_the_operator_takes(kind, said):
    model = onnx.parser.parse_model(
        f"""{HEAD.replace('"": 17', '"": 17, "own": 1')} g (float[2] x) => (float[2] y)
        {{ y = own.twice <times = 2.0> (x) }}
        <opset_import: ["": 17], domain: "own"> twice <times> (a) => (b)
        {{ c = Constant <value_float: float = @times> () b = Mul (a, c) }}"""
    )
    bnfold.fold(model)
    model.functions[0].node[0].attribute[0].type = getattr(onnx.AttributeProto, kind)
    with pytest.raises(ModelError, match=said):
        bnfold.fold(model)


def test_an_input_without_elements_and_a_huge_extent_is_not_made_up():
    model = onnx.parser.parse_model(
        f"{HEAD} g (float[0,{(1 << 62)}] x) => (float[N,M] y) {{ y = Relu (x) }}"
    )
    with pytest.raises(DataError, match="would take"):
        bnfold.verify(model, model)


def test_a_node_that_nobody_knows_may_have_no_outputs():
    model = onnx.parser.parse_model(
        f"{HEAD} g (float[1,4,6,6] x) => (float[1,4,6,6] y) <{NORM}> "
        "{ n = BatchNormalization (x, s, b, b, s) y = Relu (n) }"
    )
    model.graph.node.add(op_type="NobodyKnows")
    assert bnfold.fold(model, check=False).ledger.batch_norms_after == 1


@pytest.mark.parametrize("place", ["value", "device"])
def test_metadata_of_values_and_names_of_devices_are_text(tmp_path, place):
    model = onnx.parser.parse_model(f"{HEAD} g (float[4] x) => (float[4] y) {{ y = Relu (x) }}")
    if place == "value":
        model.graph.output[0].metadata_props.add(key="k", value="NOTEXT")
    else:
        model.configuration.add(name="all", num_devices=1).device.append("NOTEXT")
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString().replace(b"NOTEXT", b"\xff" * 6))
    with pytest.raises(ModelError, match="is not UTF-8 text"):
        bnfold.fold(tmp_path / "m.onnx")


@pytest.mark.parametrize("node", ["Clip (x, text)", "Max (x, text)", "Clip (x, x, text)"])
def test_a_text_where_a_number_bounds_is_refused(node):
    model = onnx.parser.parse_model(
        f'{HEAD} g (float[4] x) => (float[4] y) <string[1] text = {{"low"}}> {{ y = {node} }}'
    )
    with pytest.raises(ModelError, match=r"tensor\(string\)"):
        bnfold.verify(model, model)


MADE_UP_SIZES = {
    "a convolution of an input of one axis": ("5", "DeformConv (r, w, o)"),
    "a weight of one axis": ("1,4,8,8", "ConvTranspose<output_padding = [1, 1]> (r, s)"),
    "a channel of no axis": ("", "Compress<axis = 0> (r, c)"),
    "a stride of nothing": (
        "1,4,8", "MaxPool<kernel_shape = [2], ceil_mode = 1, strides = [0]> (r)",
    ),
    "more strides than axes": (
        "1,4,8,8", "MaxPool<kernel_shape = [2, 2], ceil_mode = 1, strides = [2, 2, 2]> (r)",
    ),
    "fewer pads than sides": (
        "1,4,8,8", "AveragePool<kernel_shape = [2, 2], ceil_mode = 1, pads = [1, 1]> (r)",
    ),
    "a size that no integer holds": (
        "1,4,4611686018427387904,8", "Resize (r, , scales)",
    ),
    "a part of two billion channels": ("1,2147483647,8", "Slice (r, fourth, end, one)"),
}  # fmt: skip


@pytest.mark.parametrize("allow", [(), "all"])
@pytest.mark.parametrize(("shape", "operator"), MADE_UP_SIZES.values(), ids=MADE_UP_SIZES)
def test_sizes_that_no_run_has_end_no_fold(shape, operator, allow):
    model = onnx.parser.parse_model(
        f"{HEAD} g (float[{shape}] x, float[1,18,6,6] o, bool[4] c) => (float y) <{NORM}, "
        "float[4] scales = {1.0, 1.0, 4.0, 1.0}, int64[1] one = {1}, "
        "int64[1] fourth = {-4}, int64[1] end = {2147483647}> "
        f"{{ r = Relu (x) q = {operator} h = BatchNormalization (q, s, b, b, s) y = Sigmoid (h) }}"
    )
    weight = onnx.numpy_helper.from_array(np.ones((4, 4, 3, 3), np.float32), "w")
    model.graph.initializer.append(weight)
    assert bnfold.fold(model, check=False, allow=allow).ledger.batch_norms_before == 1


def test_extents_beyond_all_machines_are_not_counted_through():
    """A proof looks for smaller ones of the same residues; of these, one by one, for minutes."""
    model = onnx.parser.parse_model(
        f"{HEAD} g (float[N,C,8589934592,9223372036854775807] x) => (float y) <{NORM}, "
        "float[1] d = {1.0}, int64[3] to = {0, 4, 100663326}> { r = Sigmoid (x) "
        "h = BatchNormalization (r, s, b, b, s) f = Reshape (h, to) "
        "t = Transpose<perm = [0, 2, 1]> (f) m = MatMul (t, s) y = Add (m, d) }"
    )
    assert bnfold.fold(model, check=False).ledger.batch_norms_before == 1


def decided(count: int, operator: str, weight: float) -> onnx.ModelProto:
    """A Where behind a chain of conditions."""
    chain = " ".join(f"q{i + 1} = {operator.format(f'q{i}')}" for i in range(count))
    return onnx.parser.parse_model(
        f"{HEAD} g (float[N,4] x) => (float[N,4] y) <float c = {{50.0}}, float w = {{{weight}}}> "
        f"{{ q0 = Greater (x, c) {chain} a = Mul (x, w) y = Where (q{count}, a, x) }}"
    )


@pytest.mark.parametrize(
    ("count", "operator"),
    [(40, "And ({0}, {0})"), pytest.param(1500, "Not ({})", marks=pytest.mark.slow)],
)
def test_conditions_behind_conditions_are_walked_through_once(count, operator):
    found = bnfold.verify(decided(count, operator, 2.0), decided(count, operator, 3.0))
    assert found.verdict == "different"
