"""Graphs that an independent reading of the algebra found left over, broken or wrong."""

from __future__ import annotations

import numpy as np
import onnx
import onnx.checker
import onnx.parser
import pytest
from onnx import numpy_helper

import bnfold
from bnfold import model_io
from bnfold.float64 import run_graph

_NORM = {
    "s": np.array([0.5, -1.5, 2.0, 0.75]),
    "t": np.array([0.1, 0.2, -0.3, 0.4]),
    "m": np.array([0.3, -0.2, 0.1, 0.5]),
    "v": np.array([0.5, 1.5, 2.0, 0.75]),
}
_WEIGHT = {"w": np.random.default_rng(0).standard_normal((4, 3, 3, 3)), "b": np.arange(4.0)}


def _model(
    text: str, *, opset: int = 18, functions: str = "", **constants: np.ndarray
) -> onnx.ModelProto:
    """The text as a model; constants in double become float."""
    local = ', "local": 1' if functions else ""
    ir_version = 4 if opset < 9 else 9
    header = f'<ir_version: {ir_version}, opset_import: ["": {opset}{local}]>'
    model = onnx.parser.parse_model(f"{header} g {text}\n{functions}")
    for name, array in (_NORM | _WEIGHT | constants).items():
        stored = array.astype(np.float32) if array.dtype == np.float64 else array
        model.graph.initializer.append(numpy_helper.from_array(stored, name))
    return model


def _folded(model: onnx.ModelProto, **feeds: np.ndarray) -> list[str]:
    """The operators of the folded model, which computes the same in float64."""
    result = bnfold.fold(model)
    assert not result.ledger.bugs
    folded = result.to_proto()
    wanted = run_graph(model_io.load(model), feeds)
    for name, new in run_graph(model_io.load(folded), feeds).items():
        scale = np.abs(wanted[name]).max(initial=1e-12)
        np.testing.assert_allclose(new, wanted[name], rtol=0, atol=2e-6 * scale)
    return sorted(node.op_type for node in folded.graph.node)


def _image(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).standard_normal(shape)


def test_a_matmul_of_opset_6_becomes_a_gemm_that_says_it_broadcasts() -> None:
    """Before opset 7 the C of a Gemm is broadcast only where an attribute says so."""
    model = _model(
        "(float[3,6] x) => (float[3,4] y) { a = MatMul(x, k) "
        "y = BatchNormalization<is_test=1>(a, s, t, m, v) }",
        opset=6,
        k=_image(6, 4),
    )
    assert _folded(model, x=_image(3, 6)) == ["Gemm"]


def test_arithmetic_of_opset_6_lies_along_the_axis_that_it_names() -> None:
    """`axis` says where the constant begins, whatever lies along the last axis."""
    model = _model(
        "(float[N,3,H,W] x) => (float[N,4,P,Q] y) { a = Conv(x, w, b) "
        "c = Mul<broadcast=1, axis=1>(a, s) y = Add<broadcast=1, axis=1>(c, t) }",
        opset=6,
    )
    assert _folded(model, x=_image(2, 3, 6, 6)) == ["Conv"]


def test_the_value_of_a_pad_before_opset_11_is_an_attribute() -> None:
    """s v + t is one number for all channels, so it becomes the new value."""
    model = _model(
        "(float[N,3,H,W] x) => (float[N,4,P,Q] y) { a = Conv(x, w, b) "
        "p = Pad<pads=[0,0,1,1,0,0,1,1], value=0.5>(a) c = Mul(p, two) y = Add(c, half) }",
        opset=9,
        two=np.array(2.0),
        half=np.array(0.5),
    )
    assert _folded(model, x=_image(2, 3, 6, 6)) == ["Conv", "Pad"]


def test_channels_repeat_themselves_where_a_reshape_moves_them_into_the_batch() -> None:
    """[N, 8, H, W] as [2 N, 4, H, W]: channel c of y is channel c and c + 4 of x."""
    model = _model(
        "(float[N,3,8,8] x) => (float[M,4,P,Q] y) { a = Conv(x, k) f = Reshape(a, to) "
        "y = BatchNormalization(f, s, t, m, v) }",
        k=_image(8, 3, 3, 3),
        to=np.array([-1, 4, 6, 6]),
    )
    assert _folded(model, x=_image(2, 3, 8, 8)) == ["Conv", "Reshape"]


_LINEAR = '<domain: "local", opset_import: ["": 18]> lin (x, w) => (y) { y = Conv(x, w) }'


def test_a_batch_norm_goes_into_a_conv_within_a_function() -> None:
    """A function that could absorb it is inlined too."""
    model = _model(
        "(float[N,3,H,W] x) => (float[N,4,P,Q] y) { a = local.lin(x, w) "
        "y = BatchNormalization(a, s, t, m, v) }",
        functions=_LINEAR,
    )
    assert _folded(model, x=_image(2, 3, 6, 6)) == ["Conv"]


@pytest.mark.parametrize("inner", [15, 18])
@pytest.mark.parametrize("outer", [15, 18])
def test_functions_are_never_inlined_into_another_opset(inner: int, outer: int) -> None:
    """What speaks another version of the operators stays a function."""
    functions = f"""
        <domain: "local", opset_import: ["": {inner}]> lin (x, w) => (y) {{ y = Conv(x, w) }}
        <domain: "local", opset_import: ["": {outer}, "local": 1]>
        block (x, w, s, t, m, v) => (y) {{ a = local.lin(x, w)
            y = BatchNormalization(a, s, t, m, v) }}"""
    model = _model(
        "(float[N,3,H,W] x) => (float[N,4,P,Q] y) { y = local.block(x, w, s, t, m, v) }",
        functions=functions,
    )
    wanted = {
        (18, 18): ["Conv"],
        (15, 18): ["BatchNormalization", "lin"],
        (18, 15): ["block"],
        (15, 15): ["block"],
    }
    assert _folded(model, x=_image(2, 3, 6, 6)) == wanted[inner, outer]


def test_a_call_may_leave_out_outputs_of_a_function() -> None:
    """They are nobody's when the function is inlined."""
    function = """<domain: "local", opset_import: ["": 18]> two (x, w, s, t, m, v) => (y, a) {
        a = Conv(x, w) y = BatchNormalization(a, s, t, m, v) }"""
    model = _model(
        "(float[N,3,H,W] x) => (float[N,4,P,Q] y) { y = local.two(x, w, s, t, m, v) }",
        functions=function,
    )
    assert _folded(model, x=_image(2, 3, 6, 6)) == ["Conv"]


def test_a_bias_that_runtimes_would_quantise_out_of_range_is_refused() -> None:
    """They make the bias of a quantised Conv int32 in steps of both scales, and let it overflow."""
    model = _model(
        "(float[N,3,H,W] x) => (float[N,4,P,Q] y) { q = QuantizeLinear(x, xs, xz) "
        "d = DequantizeLinear(q, xs, xz) k = DequantizeLinear(i, ks) a = Conv(d, k) "
        "y = BatchNormalization(a, s, t, m, v) }",
        opset=21,
        xs=np.array(1e-4),
        xz=np.array(32768, dtype=np.uint16),
        ks=np.array(1e-7),
        i=np.full((4, 3, 3, 3), 30000, dtype=np.int16),
    )
    (decision,) = bnfold.fold(model).ledger.decisions
    assert "bias-range" in [refusal.code for refusal in decision.refusals]


_X = "(float[N,3,H,W] x) => (float[N,4,P,Q] y)"


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("its type by a CastLike", "u = CastLike(c, a) y = Mul(a, u)"),
        (
            "one extent of its shape by a Gather",
            """h = Shape(a) i = Gather(h, one) e = ConstantOfShape<value=float[1]{2.5}>(i)
            y = BatchNormalization(a, e, e, e, e)""",
        ),
        (
            "one extent of its shape by a Slice",
            "h = Shape(a) i = Slice(h, one, two) e = Expand(half, i) "
            "y = BatchNormalization(a, e, e, e, e)",
        ),
    ],
    ids=lambda text: text[:20],
)
def test_a_constant_needs_nothing_of_the_conv_but(name: str, body: str) -> None:
    """What reads the Conv's output for that alone does not see that the values change."""
    model = _model(
        f"{_X} {{ a = Conv(x, w, b) {body} }}",
        opset=19,
        c=np.arange(1, 5).reshape(4, 1, 1),
        one=np.array([1]),
        two=np.array([2]),
        half=np.array(0.5),
    )
    assert _folded(model, x=_image(2, 3, 6, 6)) == ["Conv"], name


def test_an_open_extent_of_a_shape_is_no_constant() -> None:
    """The batch is known only at run time."""
    model = _model(
        f"{_X} {{ a = Conv(x, w, b) h = Shape(a) i = Gather(h, zero) c = Cast<to=1>(i) "
        "y = Mul(a, c) }",
        zero=np.array([0]),
    )
    assert _folded(model, x=_image(2, 3, 6, 6)) == ["Cast", "Conv", "Gather", "Mul", "Shape"]


@pytest.mark.parametrize(
    "body",
    [
        "q = ReduceL2(w, axes) r = Div(w, q) k = Mul(r, g)",
        "q = ReduceMean(w, axes) k = Sub(w, q)",
        "k, rest = Split<axis=0>(both, halves)",
        "q = MatMul(left, right) k = Reshape(q, shape)",
    ],
)
def test_a_weight_may_be_any_computation_over_constants(body: str) -> None:
    """Weight normalisation, weight standardisation, parts and products of stored tensors."""
    model = _model(
        f"{_X} {{ {body} a = Conv(x, k, b) y = BatchNormalization(a, s, t, m, v) }}",
        axes=np.array([1, 2, 3]),
        g=_image(4, 1, 1, 1),
        both=_image(8, 3, 3, 3),
        halves=np.array([4, 4]),
        left=_image(4, 5),
        right=_image(5, 27),
        shape=np.array([4, 3, 3, 3]),
    )
    assert _folded(model, x=_image(2, 3, 6, 6)) == ["Conv"]


def test_one_name_alone_is_a_name_and_not_letters() -> None:
    """`allow` and `skip` take a plain string for a collection of one."""
    model = _model(
        f"{_X} {{ r = Relu(x) a = Conv(r, w, b) y = BatchNormalization(a, s, t, m, v) }}"
    )
    assert bnfold.fold(model, skip="y").ledger.batch_norms_after == 1
    assert bnfold.fold(model, allow="all").ledger.batch_norms_after == 0


@pytest.mark.parametrize("steps", [np.array(0.01), np.array([0.01, 0.02, 0.005, 0.03])])
def test_a_weight_that_the_graph_quantises_itself_is_a_quantised_weight(steps: np.ndarray) -> None:
    """Quantisation-aware training leaves a float weight, QuantizeLinear and DequantizeLinear."""
    model = _model(
        f"{_X} {{ q = QuantizeLinear<axis=0>(w, steps, zero) "
        "k = DequantizeLinear<axis=0>(q, steps, zero) "
        "a = Conv(x, k, b) y = BatchNormalization(a, s, t, m, v) }",
        steps=steps,
        zero=np.zeros(steps.shape, dtype=np.int8),
    )
    assert _folded(model, x=_image(2, 3, 6, 6)) == ["Conv", "DequantizeLinear"]
