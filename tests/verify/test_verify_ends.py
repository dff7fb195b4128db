"""Two forms of a function that part where the usual inputs do not go, and those that do not."""

from __future__ import annotations

import re

import numpy as np
import onnx
import pytest

import bnfold
from tests.verify.graphs import parsed


def model(body: str, *, opset: int = 20) -> onnx.ModelProto:
    """A graph over rows of 8 numbers."""
    text = f'<ir_version: 9, opset_import: ["" : {opset}]> g (float[N,8] x) => (float y)'
    found = onnx.parser.parse_model(f"{text} {{ {body} }}")
    found.graph.output[0].type.tensor_type.ClearField("shape")
    return found


def number(name: str, value: float) -> str:
    return f"{name} = Constant <value = float {{{value}}}> ()"


ONE = number("one", 1.0)
PARTING = {
    "a sum that overflows above 88": (
        "y = Softplus (x)",
        f"e = Exp (x) {ONE} s = Add (e, one) y = Log (s)",
    ),
    "no largest number is subtracted": (
        "y = Softmax (x)",
        "e = Exp (x) s = ReduceSum <axes = [1]> (e) y = Div (e, s)",
    ),
    "an alpha next to 0": ("y = ThresholdedRelu <alpha = 0.00001> (x)", "y = Relu (x)"),
    "a lambda next to 0": ("y = Shrink <lambd = 0.00001> (x)", "y = Identity (x)"),
    "a lower bound next to 0": (
        f"{number('e', 1e-6)} c = Max (x, e) y = Log (c)",
        f"{number('e', 1e-8)} c = Max (x, e) y = Log (c)",
    ),
    "an epsilon that is far below the variance": tuple(
        "m = ReduceMean <axes = [1]> (x) d = Sub (x, m) q = Mul (d, d)"
        f"v = ReduceMean <axes = [1]> (q) {number('e', e)}"
        "w = Add (v, e) s = Sqrt (w) y = Div (d, s)"
        for e in (1e-9, 1e-12)
    ),
    "a bound that only the other model has": (
        "y = Identity (x)",
        f"{number('low', -300.0)} {number('high', 300.0)} y = Clip (x, low, high)",
    ),
    "a Relu that only the other model has": (
        "a = Abs (x) y = Neg (a)",
        f"a = Abs (x) n = Neg (a) {number('k', 200.0)} s = Add (n, k) r = Relu (s) y = Sub (r, k)",
    ),
}
PARTING["angles that are wrapped by almost a turn"] = (
    "y = Sin (x)",
    f"{number('turn', 2 * np.pi)} m = Mod <fmod = 1> (x, turn) y = Sin (m)",
)
TIES = {
    "above, or from there on": (
        f"{ONE} q = Greater (x, one) y = Cast <to = 1> (q)",
        f"{ONE} q = GreaterOrEqual (x, one) y = Cast <to = 1> (q)",
    ),
    "up, or one more than down": (
        "y = Ceil (x)",
        f"{ONE} f = Floor (x) y = Add (f, one)",
    ),
}
PARTING |= TIES
SAME = {
    "Sigmoid": (
        "y = Sigmoid (x)",
        f"n = Neg (x) e = Exp (n) {ONE} s = Add (e, one) y = Div (one, s)",
    ),
    "Softmax": ("y = Softmax (x)", "l = LogSoftmax (x) y = Exp (l)"),
    "HardSwish": (
        "y = HardSwish (x)",
        "h = HardSigmoid <alpha = 0.16666667, beta = 0.5> (x) y = Mul (x, h)",
    ),
    "Gelu": (
        "y = Gelu (x)",
        f"{number('r', 2**0.5)} d = Div (x, r) e = Erf (d) {ONE} s = Add (e, one) m = Mul (x, s)"
        f"{number('h', 0.5)} y = Mul (m, h)",
    ),
    "Relu": ("y = Relu (x)", f"{number('o', 0.0)} y = Max (o, x)"),
    "a comparison turned round": (
        f"{ONE} q = Greater (x, one) y = Cast <to = 1> (q)",
        f"{ONE} q = LessOrEqual (x, one) n = Not (q) y = Cast <to = 1> (n)",
    ),
}


GRIDS = {
    "bytes": ("uint8[N,8] x", "d = DequantizeLinear (x, step, middle)", 0.25 * 30),
    "rows that are quantised": (
        "float[N,8] x",
        "h = MatMul (x, w) i = QuantizeLinear (h, step, middle)"
        "d = DequantizeLinear (i, step, middle)",
        -0.25 * 100,
    ),
    "whole numbers": ("float[N,8] x", "h = MatMul (x, w) r = Round (h) d = Mul (r, step)", 4.0),
    "what a Cast cuts off": (
        "float[N,8] x",
        "h = MatMul (x, w) i = Cast <to = 7> (h) f = Cast <to = 1> (i) d = Mul (f, step)",
        4.0,
    ),
    "tenths": (
        "float[N,8] x",
        "h = MatMul (x, w) m = Mul (h, ten) f = Floor (m) d = Div (f, ten)",
        0.3,
    ),
    "tenths less a twentieth": (
        "float[N,8] x",
        "h = MatMul (x, w) m = Mul (h, ten) r = Round (m) t = Div (r, ten) d = Sub (t, twentieth)",
        0.25,
    ),
    "parts of 255": ("uint8[N,8] x", "f = Cast <to = 1> (x) d = Div (f, most)", 51 / 255),
}
"""Inputs, what comes to lie on a grid, and a threshold on it."""


RETURNED, CHOSEN_BY = ("bool", "q = {} (d, c)"), ("float", "p = {} (d, c) q = Where (p, d, x0)")


@pytest.mark.parametrize(
    ("kind", "dtype", "behind"),
    [
        *((kind, *RETURNED) for kind in GRIDS),
        # what is done with the comparison does not make the grid: with the quick one it is enough
        ("bytes", *CHOSEN_BY),
        *(
            pytest.param(kind, *CHOSEN_BY, marks=pytest.mark.slow)
            for kind in GRIDS
            if kind != "bytes"
        ),
    ],
)
def test_a_tie_on_a_grid_is_met(kind, dtype, behind):
    fed, body, threshold = GRIDS[kind]
    ours, others = (
        parsed(
            f"g ({fed}) => ({dtype}[N,8] q) {{ {body} {behind.format(op)} }}",
            w=np.random.default_rng(0).normal(size=(8, 8)),
            step=np.float32(0.25),
            middle=np.uint8(128),
            c=np.float32(threshold),
            x0=np.float32(0),
            ten=np.float32(10),
            twentieth=np.float32(0.05),
            most=np.float32(255),
        )
        for op in ("Greater", "GreaterOrEqual")
    )
    assert bnfold.verify(ours, others).verdict == "different"
    assert bnfold.verify(ours, ours).is_equivalent


def both(pair: tuple[str, str]) -> tuple[onnx.ModelProto, onnx.ModelProto]:
    one, other = (model(body, opset=opset_for("".join(pair))) for body in pair)
    return one, other


def opset_for(body):
    """One in which reductions have their axes as an attribute, if they are written so."""
    return 12 if "axes =" in body else 20


@pytest.mark.parametrize("kind", PARTING)
def test_forms_that_part_at_an_end_are_different(kind):
    assert bnfold.verify(*both(PARTING[kind])).verdict == "different"


SHORT = ("a sum that overflows above 88", "no largest number is subtracted", "an alpha next to 0")


def half(body):
    """The same in float16, whose e^x overflows above 11."""
    found = model(body, opset=opset_for(body))
    for value in (*found.graph.input, *found.graph.output):
        value.type.tensor_type.elem_type = onnx.TensorProto.FLOAT16
    for node in found.graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                number = onnx.numpy_helper.to_array(attribute.t).astype(np.float16)
                attribute.t.CopyFrom(onnx.numpy_helper.from_array(number))
    return found


@pytest.mark.parametrize("kind", (*SHORT, "a Relu that only the other model has"))
def test_forms_in_half_precision_that_part_at_an_end_are_different(kind):
    ours, others = map(half, PARTING[kind])
    assert bnfold.verify(ours, others).verdict == "different"
    assert bnfold.verify(others, others).is_equivalent


@pytest.mark.parametrize("kind", ("Softmax", "Sigmoid", "Relu"))
def test_forms_in_half_precision_that_are_the_same_are_equivalent(kind):
    found = bnfold.verify(*map(half, SAME[kind]))
    assert found.is_equivalent, found.reason


def eight_bits(body):
    """The same of numbers in steps of 1, from -128 to 127."""
    steps = "zero = Constant <value = int8 {0}> () i = QuantizeLinear (x, step, zero)"
    inner = re.sub(r"\bx\b", "h", body)
    text = f"{number('step', 1.0)} {steps} h = DequantizeLinear (i, step, zero) {inner}"
    return model(text, opset=opset_for(body))


@pytest.mark.parametrize("kind", SHORT[:2])
def test_forms_behind_steps_that_part_at_an_end_are_different(kind):
    ours, others = map(eight_bits, PARTING[kind])
    assert bnfold.verify(ours, others).verdict == "different"


@pytest.mark.parametrize("kind", ("Softmax", "Sigmoid", "Relu"))
def test_forms_behind_steps_that_are_the_same_are_equivalent(kind):
    found = bnfold.verify(*map(eight_bits, SAME[kind]))
    assert found.is_equivalent, found.reason


def test_an_alpha_of_a_thousandth_behind_weights_is_seen_in_many_rows():
    """One number in two thousand lies between 0 and the alpha."""
    rng = np.random.default_rng(0)
    w, b = rng.normal(size=(8, 10)), rng.normal(size=10)
    ours, others = (
        parsed(
            f"g (float[N,8] x) => (float[N,10] y) {{ h = Gemm (x, w, b)  y = {op} (h) }}", w=w, b=b
        )
        for op in ("Relu", "ThresholdedRelu <alpha = 0.001>")
    )
    assert bnfold.verify(ours, others).verdict == "different"
    assert bnfold.verify(others, others).is_equivalent


@pytest.mark.parametrize("kind", SAME)
def test_forms_that_are_the_same_at_the_ends_are_equivalent(kind):
    found = bnfold.verify(*both(SAME[kind]))
    assert found.is_equivalent, found.reason
    assert len(found.feeds) > 8 or kind == "Relu"


def test_a_crop_of_the_batch_is_seen():
    ends = "s = Constant <value = int64[1] {0}> () e = Constant <value = int64[1] {4}> ()"
    cropped = model(f"{ends} y = Slice (x, s, e, s)")
    assert bnfold.verify(model("y = Identity (x)"), cropped).verdict == "different"


def test_an_end_that_no_input_meets_is_named_in_the_verdict():
    """Beyond 1e4 nobody looks: no input that is made up is as large."""
    body = f"{number('low', -3e30)} {number('high', 3e30)} y = Clip (x, low, high)"
    found = bnfold.verify(model("y = Identity (x)"), model(body))
    assert found.is_equivalent
    assert "the upper bound of Clip 'y' of the other model was never met" in found.reason


def test_what_both_models_have_alike_costs_no_further_inputs():
    found = bnfold.verify(model("y = Softplus (x)"), model("y = Softplus (x)"))
    assert len(found.feeds) == 8


def test_models_that_part_on_nan_are_equivalent_and_it_is_said():
    """ONNX does not say what a comparison's other side makes of NaN; numbers are all the same."""
    where = f"{number('o', 0.0)} q = Greater (x, o) y = Where (q, x, o)"
    found = bnfold.verify(model("y = Relu (x)"), model(where))
    assert found.is_equivalent
    assert any("where an input is NaN the models part" in note for note in found.notes)
    same = bnfold.verify(model("y = Relu (x)"), model("y = Relu (x)"))
    assert same.notes == ()


def test_an_input_without_floats_gets_no_nan():
    text = '<ir_version: 9, opset_import: ["" : 20]> g (int64[N] i) => (int64[N] y) { y = Abs (i) }'
    integers = onnx.parser.parse_model(text)
    assert bnfold.verify(integers, integers).notes == ()


def test_a_nan_is_not_among_the_inputs_that_are_recorded():
    found = bnfold.verify(model("y = Relu (x)"), model("y = Relu (x)"))
    kinds = {feed.kind for feed in found.feeds}
    assert kinds >= {"normal", "impulses", "wide range", "zeros"}
    assert not any("nan" in kind.lower() for kind in kinds)
    assert np.isfinite(found.worst_ratio)


WINDOW = """g (float[N,T,8] x) => (float y) {
    s = Shape <start = 1, end = 2> (x)  t = Squeeze (s)  r = Range (zero, t, one)
    a = Unsqueeze (r, first)  b = Unsqueeze (r, second)  d = Sub (a, b)  e = Abs (d)
    q = Less (e, window)  m = Where (q, none, all)
    k = Transpose <perm = [0, 2, 1]> (x)  l = MatMul (x, k)  u = Add (l, m)
    p = Softmax (u)  y = MatMul (p, x)
}"""


def attention(window: int) -> onnx.ModelProto:
    """Attention over at most so many places to either side."""
    found = parsed(
        WINDOW, zero=np.int64(0), one=np.int64(1), window=np.int64(window),
        first=np.array([0]), second=np.array([1]), none=np.float32(0), all=np.float32(-1e9),
    )  # fmt: skip
    found.graph.output[0].type.tensor_type.ClearField("shape")
    return found


@pytest.mark.parametrize("window", [40, 100, 130])
def test_a_window_that_only_long_sequences_leave_is_seen(window):
    assert bnfold.verify(attention(10_000), attention(window)).verdict == "different"
    assert bnfold.verify(attention(window), attention(window)).is_equivalent


@pytest.mark.parametrize("other", [5, -2])
def test_ends_that_are_attributes_are_compared(other):
    """Before opset 10 a Slice has its bounds as attributes."""

    def net(end):
        return onnx.parser.parse_model(
            '<ir_version: 8, opset_import: ["" : 9]> g (float[N,8] x) => (float[N,C] y) '
            f"{{ y = Slice <axes = [1], starts = [0], ends = [{end}]> (x) }}"
        )

    found = bnfold.verify(net(6), net(other), samples=2)
    assert found.is_equivalent == (other == -2)
