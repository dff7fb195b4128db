"""Each step of cleaning a graph, on graphs written as text."""

from __future__ import annotations

import numpy as np
import onnx.parser
import onnx_ir as ir
import pytest

from bnfold.export.constant_folding import fold_constants
from bnfold.export.dimension_names import name_dimensions, simplify_reshapes
from bnfold.export.idle import drop_idle
from bnfold.export.linear_as_gemm import use_rows
from bnfold.export.sequences import use_split
from tests.runtime_oracle import in_onnxruntime


def parsed(text: str) -> ir.Model:
    return ir.from_proto(
        onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["" : 20]>{text}')
    )


def kinds(model: ir.Model) -> list[str]:
    return [node.op_type for node in model.graph.all_nodes()]


def initializer(model: ir.Model, name: str) -> np.ndarray:
    return model.graph.initializers[name].const_value.numpy()


ZERO_BIAS = """
    agraph (float[n,1,4,4] x, float[3,1,1,1] unused) => (float[n,3,4,4] y)
    <float[3,1,1,1] w = {1,2,3}, float[3,1,1,1] kernel = {1,2,3}>
    {
        channels = Shape <start = 0, end = 1> (w)
        zero = Constant <value_float = VALUE> ()
        like = CastLike (zero, x)
        bias = Expand (like, channels)
        y = Conv (x, w, bias)
    }
"""


def test_a_bias_of_computed_zeros_goes():
    model = parsed(ZERO_BIAS.replace("VALUE", "0.0"))
    fold_constants(model)
    (conv,) = model.graph
    assert len(conv.inputs) == 2


def test_a_computed_bias_that_is_not_zero_becomes_an_initializer():
    model = parsed(ZERO_BIAS.replace("VALUE", "0.5"))
    fold_constants(model)
    (conv,) = model.graph
    assert np.array_equal(initializer(model, conv.inputs[2].name), np.full(3, 0.5, np.float32))


def test_a_shape_that_varies_stays():
    model = parsed("""
        agraph (float[n,4] x) => (int64[1] batch, int64[1] width)
        {
            batch = Shape <start = 0, end = 1> (x)
            fixed = Shape <start = -1> (x)
            one = Constant <value_ints = [1]> ()
            width = Mul (fixed, one)
        }
    """)
    fold_constants(model)
    assert kinds(model) == ["Shape", "Mul"]  # a graph output keeps its node
    assert list(initializer(model, model.graph[1].inputs[0].name)) == [4]


def test_an_initializer_that_callers_may_override_is_no_constant():
    model = parsed("""
        agraph (float[2] x, float[2] scale = {1, 1}) => (float[2] y)
        {
            root = Sqrt (scale)
            y = Mul (x, root)
        }
    """)
    fold_constants(model)
    assert kinds(model) == ["Sqrt", "Mul"]


def test_a_large_constant_is_not_spelled_out():
    model = parsed("""
        agraph (float[1000,1000] x) => (float[1000,1000] y)
        {
            one = Constant <value_float = 1.0> ()
            shape = Constant <value_ints = [1000, 1000]> ()
            mask = Expand (one, shape)
            y = Mul (x, mask)
        }
    """)
    fold_constants(model)
    assert kinds(model) == ["Expand", "Mul"]


def test_constants_reach_into_branches():
    model = parsed("""
        agraph (bool c, float[2] x) => (float[2] y)
        {
            two = Constant <value_float = 2.0> ()
            half = Reciprocal (two)
            y = If (c) <
                then_branch = left () => (float[2] a) { four = Mul (two, two) a = Mul (x, four) },
                else_branch = right () => (float[2] b) { b = Mul (x, half) }
            >
        }
    """)
    fold_constants(model)
    assert kinds(model) == ["If", "Mul", "Mul"]
    products = [node for node in model.graph.all_nodes() if node.op_type == "Mul"]
    assert [float(node.inputs[1].const_value.numpy()) for node in products] == [4.0, 0.5]


RESHAPE = """
    agraph (float[n,3,h,w] x) => (OUTPUT y)
    {
        batch = Shape <start = 0, end = 1> (x)
        rest = Constant <value_ints = [-1]> ()
        target = Concat <axis = 0> (batch, rest)
        y = Reshape <allowzero = 1> (x, target)
    }
"""


def target_of(output: str) -> list[int] | None:
    model = parsed(RESHAPE.replace("OUTPUT", output))
    simplify_reshapes(model)
    reshape = model.graph[-1]
    value = reshape.inputs[1]
    if not value.is_initializer():
        return None
    assert "allowzero" not in reshape.attributes
    return list(value.const_value.numpy())


def test_a_reshape_copies_what_it_keeps():
    assert target_of("float[n,48]") == [0, 48]
    assert target_of("float[n,3,k]") == [0, 3, -1]
    assert target_of("float[m,48]") == [-1, 48]


def test_a_reshape_stays_where_the_target_is_not_known():
    assert target_of("float[a,b]") is None  # two unknown dimensions
    assert target_of("float[n,0]") is None  # 0 would copy
    assert target_of("float[]") is None or target_of("float[]") == []


def test_dimensions_get_the_names_that_are_wanted():
    model = parsed("agraph (float[s1,s2] x, float[s1,s3] z) => (float[s1,s2] y) { y = Relu (x) }")
    wanted = {"x": {0: "batch", 1: "width"}, "z": {0: "batch", 1: "width"}}
    assert name_dimensions(model, wanted, {}) == []
    x, z = model.graph.inputs
    assert list(map(str, x.shape)) == ["batch", "width"]
    assert list(map(str, z.shape)) == ["batch", "z_1"]  # not known to be as wide as x
    assert list(map(str, model.graph.outputs[0].shape)) == ["batch", "width"]


def test_a_dimension_that_is_fixed_is_reported():
    model = parsed("agraph (float[2,s2] x) => (float[2,s2] y) { y = Relu (x) }")
    (fixed,) = name_dimensions(model, {"x": {0: "batch"}}, {})
    assert str(fixed) == "dimension 0 of x is fixed by the network"
    (hidden,) = name_dimensions(model, {"x": {1: "width"}}, {"s2": 5})
    assert str(hidden) == "dimension 1 of x is fixed by the network"


SPLIT = """
    agraph (float[n,5] x) => (float[n,p] a, float[n,q] b)
    <int64 one = {1}, int64 zero = {0}, SIZES>
    {
        parts = SplitToSequence <axis = 1, keepdims = KEEP> (x, sizes)
        a = SequenceAt (parts, one)
        b = SequenceAt (parts, zero)
    }
"""


def split(sizes: str, keep: int = 1) -> ir.Model:
    model = parsed(SPLIT.replace("SIZES", sizes).replace("KEEP", str(keep)))
    use_split(model)
    return model


def test_parts_of_a_sequence_become_outputs_of_a_split():
    for sizes, expected in (
        ("int64 sizes = {2}", [2, 2, 1]),
        ("int64[2] sizes = {1, 4}", [1, 4]),
    ):
        model = split(sizes)
        (node,) = model.graph
        assert node.op_type == "Split"
        assert list(node.inputs[1].const_value.numpy()) == expected
        assert [value.name for value in model.graph.outputs] == [
            node.outputs[1].name,
            node.outputs[0].name,
        ]


def test_a_sequence_whose_parts_lose_their_dimension_stays():
    assert "SplitToSequence" in kinds(split("int64 sizes = {1}", keep=0))


SIZES = """
    agraph (float[batch,7,2,5] x) => (float[A,B,C] y) <int64[1] kept = {7}>
    {
        sizes = Shape (x)
        zero = Constant <value_ints = [0]> ()
        one = Constant <value_ints = [1]> ()
        two = Constant <value_ints = [2]> ()
        three = Constant <value_ints = [3]> ()
        last = Constant <value_ints = [9223372036854775807]> ()
        batch = Slice (sizes, zero, one)
        d = Slice (sizes, two, three)
        h = Slice (sizes, three, last)
        both = Mul (d, h)
        target = Concat (batch, kept, both)
        y = Reshape (x, target)
    }
"""


def test_a_reshape_to_sizes_that_are_computed_from_a_shape_has_a_constant_target():
    """What GRU and LSTM leave with a dynamic batch: Shape, Slices, Mul, Concat, Reshape."""
    model = parsed(SIZES)
    fold_constants(model)
    assert simplify_reshapes(model)
    (reshape,) = (node for node in model.graph if node.op_type == "Reshape")
    assert list(reshape.inputs[1].const_value.numpy()) == [0, 7, 10]
    assert not simplify_reshapes(model)


def test_a_reshape_with_two_sizes_that_nobody_knows_is_left():
    model = parsed("""
        agraph (float[n,m] x, float[n,m,6] z) => (float[A,B,C,D] y)
        <int64[1] two = {2}, int64[1] three = {3}, int64[1] at = {0}>
        {
            sizes = Shape <end = 2> (z)
            doubled = Mul (sizes, two)
            target = Concat (doubled, three, two)
            y = Reshape (z, target)
        }
    """)
    assert not simplify_reshapes(model)


STATES = """
    agraph (float[7,n,3] x, float[1,n,2] given) => (float[7,1,n,2] y)
    <float[1,6,3] w, float[1,6,2] r, float zero = {VALUE}, int64[1] one = {1}, int64[1] two = {2}>
    {
        n = Shape <start = 1, end = 2> (x)
        sizes = Concat (one, n, two)
        state = Expand (zero, sizes)
        y = GRU <hidden_size = 2> (x, w, r, , , STATE)
    }
"""


def test_an_initial_state_of_zeros_goes_and_no_other():
    for value, state, is_left in (("0.0", "state", 0), ("0.5", "state", 1), ("0.0", "given", 1)):
        model = parsed(STATES.replace("VALUE", value).replace("STATE", state))
        drop_idle(model)
        (gru,) = (node for node in model.graph if node.op_type == "GRU")
        assert sum(operand is not None for operand in gru.inputs[5:]) == is_left


def test_padding_by_nothing_goes_and_no_other():
    text = """
        agraph (float[n,3] x) => (float[n,3] y) <int64[4] pads = {0, 0, 0, LAST}>
        { padded = Pad (x, pads)  y = Relu (padded) }
    """
    for last, reads in (("0", "x"), ("1", "padded"), ("-1", "padded")):
        model = parsed(text.replace("LAST", last))
        drop_idle(model)
        assert model.graph[-1].inputs[0].name == reads


def test_a_reshape_to_the_shape_that_is_there_goes_and_no_other():
    text = """
        agraph (float[n,4,3] x) => (float[A,B,C] y) <int64[3] to = {TARGET}>
        { same = Reshape (x, to)  y = Relu (same) }
    """
    for target, reads in (
        ("-1, 4, 3", "x"), ("-1, 3, 4", "same"), ("2, 4, 3", "same"), ("2, -1, 3", "same"),
    ):  # fmt: skip
        model = parsed(text.replace("TARGET", target))
        drop_idle(model)
        assert model.graph[-1].inputs[0].name == reads


LAYER = """
    agraph (float[n,2,3,4] x) => (float[m,2,5] y)
    <int64[3] tiles = {-1, 6, 4}, int64[3] parts = {-1, 2, 5},
     float[4,5] w = {1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20}, float[5] b = {1,2,3,4,5}>
    {
        t = Reshape (x, tiles)
        p = MatMul (t, w)
        a = Add (p, b)
        y = Reshape (a, parts)
    }
"""


def answers(model: ir.Model) -> list[np.ndarray]:
    x = np.random.default_rng(1).standard_normal((3, 2, 3, 4)).astype(np.float32)
    return in_onnxruntime(ir.to_proto(model), {"x": x})


TWO = """
    agraph (float[n,2,3,4] x) => (float[m,2,5] y, float[k,5] z)
    <int64[3] tiles = {-1, 6, 4}, int64[3] parts = {-1, 2, 5}, int64[2] flat = {-1, 5},
     float[4,5] w = {1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20},
     float[4,5] v = {2,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,0}, float[5] b = {1,2,3,4,5}>
    {
        t = Reshape (x, tiles)
        p = MatMul (t, w)
        a = Add (p, b)
        y = Reshape (a, parts)
        q = MatMul (t, v)
        c = Add (q, b)
        z = Reshape (c, flat)
    }
"""


@pytest.mark.parametrize(
    ("text", "gemms"),
    [
        (LAYER, 1),
        (LAYER.replace("Add (p, b)", "Add (b, p)"), 1),
        (LAYER.replace("tiles = {-1, 6, 4}", "tiles = {0, -1, 4}"), 1),
        (LAYER.replace("Reshape (a,", "Reshape <allowzero = 1> (a,"), 1),
        (LAYER.replace("{-1, 2, 5}", "{-1, 15, 2}").replace("2,5] y", "15,2] y"), 1),
        (TWO, 2),
    ],
)
def test_a_linear_layer_between_reshapes_is_a_gemm_of_rows(text, gemms):
    model = parsed(text)
    before = answers(model)
    use_rows(model)
    assert "MatMul" not in kinds(model)
    assert kinds(model).count("Gemm") == gemms
    for old, new in zip(before, answers(model), strict=True):
        np.testing.assert_allclose(new, old, rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize(
    "text",
    [
        LAYER.replace("parts = {-1, 2, 5}", "parts = {0, -1, 5}"),  # copies a size
        LAYER.replace("float[m,2,5] y)", "float[m,2,5] y, float[m,6,5] a)"),  # is returned
        LAYER.replace("float[m,2,5] y)", "float[m,2,5] y, float[m,6,4] t)"),
        LAYER.replace("float[m,2,5] y)", "float[m,2,5] y, float[m,6,5] p)"),
        LAYER.replace("y = Reshape (a", "e = Exp (a) y = Reshape (e"),
        LAYER.replace("float[5] b = {1,2,3,4,5}", "float[1] b = {3}"),
        LAYER.replace("float[5] b = {1,2,3,4,5}", "float[6,1] b = {1,2,3,4,5,6}"),
        TWO.replace("Reshape (c, flat)", "Exp (c)").replace("float[k,5]", "float[k,6,5]"),
    ],
    ids=["copies", "sum is read", "rows are read", "product is read", "an operator between",
         "one bias for all", "a bias of another axis", "another reader"],
)  # fmt: skip
def test_a_linear_layer_whose_axes_are_read_stays(text):
    model = parsed(text)
    before = [str(node) for node in model.graph]
    use_rows(model)
    assert [str(node) for node in model.graph] == before
