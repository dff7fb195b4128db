"""Constants that a graph computes stand on the step that the runtime's stand on."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import numpy_helper, parser

from bnfold.float64 import run_graph
from bnfold.typed import ConstantBudget, ConstantError, TypedConstants
from tests.runtime_oracle import in_onnxruntime

LEVELS = ("ORT_DISABLE_ALL", "ORT_ENABLE_ALL")


def model_of(body: str, opset: int = 18, domain: str = "", **stored) -> onnx.ModelProto:
    extra = f', "{domain}" : 1' if domain else ""
    text = (
        f'<ir_version: 9, opset_import: ["" : {opset}{extra}]> g (float[N] x) => (y) {{ {body} }}'
    )
    model = parser.parse_model(text)
    for name, array in stored.items():
        model.graph.initializer.append(numpy_helper.from_array(np.asarray(array), name))
    return model


def constants_of(model: onnx.ModelProto, **settings):
    loaded = ir.serde.deserialize_model(model)
    values = {v.name: v for node in loaded.graph for v in node.outputs}
    return TypedConstants(loaded, **settings), values


def in_the_runtime(model: onnx.ModelProto, level: str) -> np.ndarray:
    feeds = {"x": np.ones(1, np.float32)} if model.graph.input else {}
    return in_onnxruntime(model, feeds, level)[0]


RNG = np.random.default_rng(7)
WEIGHT = RNG.standard_normal((64, 64)).astype(np.float32)
STEPS = {
    "fake quantisation": "a = Div(w, s) b = Round(a) y = Mul(b, s)",
    "floor": "a = Mul(w, t) b = Floor(a) y = Div(b, t)",
    "ceil of a normalised weight": "n = ReduceL2(w) a = Div(w, n) b = Div(a, s) y = Ceil(b)",
    "sign of a difference": "m = ReduceMean(w) a = Sub(w, m) y = Sign(a)",
    "a comparison": "a = Mul(w, s) b = Div(a, s) c = Equal(b, w) y = Cast <to = 1> (c)",
    "a cast to an integer": "a = Div(w, s) b = Cast <to = 6> (a) y = Cast <to = 1> (b)",
    "a remainder": "y = Mod <fmod = 1> (w, s)",
    "a choice": "e = Exp(w) l = Log(e) c = Less(l, w) y = Where(c, w, s)",
    "a clipped scale": (
        "m = ReduceMax(w) d = Div(m, q) a = Div(w, d) b = Round(a) "
        "c = Clip(b, lo, hi) y = Mul(c, d)"
    ),
    "a quantised weight": "a = QuantizeLinear(w, s, z) y = DequantizeLinear(a, s, z)",
    "a softmax": "p = Softmax(w) a = Div(p, s) y = Floor(a)",
    "a product": "p = MatMul(w, w) a = Div(p, s) y = Round(a)",
}
STORED = {
    "s": np.float32(0.1),
    "t": np.float32(10),
    "q": np.float32(127),
    "lo": np.float32(-127),
    "hi": np.float32(127),
    "z": np.int8(0),
}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", STEPS)
def test_a_step_is_the_runtimes(name, level):
    on_steps = np.rint(RNG.integers(-40, 40, WEIGHT.shape)) * 0.05  # ties in exact arithmetic
    for weight in (WEIGHT, on_steps.astype(np.float32)):
        model = model_of(STEPS[name], w=weight, **STORED)
        constants, values = constants_of(model)
        ours = constants.get(values["y"])
        assert ours is not None, constants.reason(values["y"])
        np.testing.assert_array_equal(ours, in_the_runtime(model, level))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", ["fake quantisation", "floor", "a remainder", "a choice"])
def test_a_chain_in_float16_is_rounded_where_the_runtime_rounds_it(name, level):
    half = {k: v.astype(np.float16) for k, v in {"w": WEIGHT, **STORED}.items() if k != "z"}
    model = model_of(STEPS[name], **half)
    constants, values = constants_of(model)
    np.testing.assert_array_equal(constants.get(values["y"]), in_the_runtime(model, level))


def test_a_chain_asked_for_link_by_link_is_the_same_chain():
    """What is large and was not asked for is let go, but not what a later link starts from."""
    w = RNG.standard_normal((300, 300)).astype(np.float16)
    s = np.float16(0.013)
    body = "q = Cast <to = 1> (w) h = Cast <to = 10> (q) a = Div(h, s) b = Round(a) y = Mul(b, s)"
    model = model_of(body, w=w, s=s)
    constants, values = constants_of(model)
    assert all(constants.get(values[name]) is not None for name in "bay")
    np.testing.assert_array_equal(
        constants.get(values["y"]), in_the_runtime(model, "ORT_DISABLE_ALL")
    )


def test_float64_alone_stands_on_another_step():
    """Why this package is there: the same weight in float64 is a whole step away."""
    w = (np.arange(-40, 40) * 0.05).astype(np.float32)
    model = ir.serde.deserialize_model(model_of(STEPS["fake quantisation"], w=w, s=STORED["s"]))
    feeds = {"x": np.ones(1, np.float32)}
    alone = run_graph(model, feeds)["y"]
    told = run_graph(model, feeds, constants=TypedConstants(model).get)["y"]
    theirs = in_the_runtime(ir.to_proto(model), "ORT_DISABLE_ALL")
    assert np.abs(alone - theirs).max() > 0.09
    np.testing.assert_array_equal(told, theirs.astype(np.float64))


def test_what_is_fed_is_no_constant():
    constants, values = constants_of(model_of("a = Add(x, w) y = Shape(a)", w=WEIGHT[0]))
    assert constants.get(values["y"]) is None
    assert constants.reason(values["y"]).cause == "run-time"


def test_a_default_that_can_be_overridden_is_no_constant():
    model = model_of("y = Neg(x)", x=np.ones(1, np.float32))
    constants, values = constants_of(model)
    assert constants.reason(values["y"]).cause == "run-time"


def test_what_the_caller_knows_is_believed_first():
    model = ir.serde.deserialize_model(model_of("s = Shape(x) y = Add(s, s)"))
    values = {v.name: v for node in model.graph for v in node.outputs}
    told = {values["s"]: np.array([5])}
    assert TypedConstants(model, known=told.get).get(values["y"]).tolist() == [10]


def test_a_chain_of_thousands_is_walked():
    body = "v0 = Neg(w)" + "".join(f" v{i} = Neg(v{i - 1})" for i in range(1, 5000))
    constants, values = constants_of(model_of(f"{body} y = Identity(v4999)", w=np.float32(2)))
    assert constants.get(values["y"]) == 2


BIG = 10**18
HOSTILE = {
    "y = Range(three, nine, zero)": "invalid",
    "y = Range(three, big, one)": "budget",
    "y = ConstantOfShape(bigs)": "budget",
    "y = Expand(three, bigs)": "budget",
    "y = Tile(zeros, bigs1)": "budget",
    "y = OneHot(zeros, big, pair)": "budget",
    "y = Pad(zeros, bigpads)": "budget",
    "y = Resize(image, , , bigimage)": "budget",
    "y = MatMul(square, square)": "budget",
    "y = Add(row, column)": "budget",
    "y = HannWindow(big)": "budget",
    "y = Div(three, zero)": "invalid",
    "y = Div(least, minus)": "invalid",
    "y = Mod(three, zero)": "invalid",
    "y = Gather(zeros, far)": "invalid",
    "y = Gather(zeros, below)": "invalid",
    "y = GatherElements(zeros, below)": "invalid",
    "y = GatherND(zeros, far)": "invalid",
    "y = ScatterElements(zeros, far, far)": "invalid",
    "y = Slice(zeros, zeros, zeros, zeros, zeros)": "invalid",
    "y = Reshape(zeros, far)": "invalid",
    "y = TopK(zeros, far)": "invalid",
    "y = Add(zeros, image)": "invalid",
    "y = Split <num_outputs = 1000000000> (zeros)": "invalid",
    "y = RandomNormal <shape = [3]> ()": "unsupported",
    "y = If (yes) <then_branch = g () => (a) { a = Neg(one) }, "
    "else_branch = h () => (b) { b = Neg(one) }>": "unsupported",
    "y = other.Thing(one)": "unsupported",
    "y = NoSuchOperator(one)": "unsupported",
}
NUMBERS = {
    "zero": 0,
    "one": 1,
    "three": 3,
    "nine": 9,
    "minus": -1,
    "big": BIG,
    "least": np.iinfo(np.int64).min,
    "zeros": [0],
    "pair": [0, 1],
    "far": [7],
    "below": [-2],
    "bigs": [10**6, 10**6],
    "bigs1": [10**17],
    "bigpads": [10**12, 0],
    "bigimage": [1, 1, 10**6, 10**6],
    "row": np.ones((1, 10**4)),
    "column": np.ones((10**4, 1)),
    "image": np.ones((1, 1, 2, 2), np.float32),
    "square": np.ones((2000, 2000), np.float32),
    "yes": np.asarray(True),
}


@pytest.mark.parametrize("body", HOSTILE)
def test_hostile_constants_are_refused_before_they_are_made(body):
    stored = {name: v for name, v in NUMBERS.items() if name in body}
    model = model_of(body, domain="other" if "other" in body else "", **stored)
    constants, values = constants_of(model)
    assert constants.get(values["y"]) is None
    reason = constants.reason(values["y"])
    assert isinstance(reason, ConstantError)
    assert (reason.cause, body) == (HOSTILE[body], body)


def test_the_budget_is_the_callers():
    model = model_of("y = Expand(w, n)", w=np.float32(1), n=np.array([1000]))
    for elements, known in ((1000, True), (999, False)):
        constants, values = constants_of(model, budget=ConstantBudget(elements=elements))
        assert (constants.get(values["y"]) is not None) == known


def test_many_constants_share_a_budget():
    body = "v0 = Neg(w)" + "".join(f" v{i} = Neg(v{i - 1})" for i in range(1, 9))
    model = model_of(f"{body} y = Identity(v8)", w=np.ones(100, np.float32))
    for total, known in ((1000, True), (500, False)):
        constants, values = constants_of(model, budget=ConstantBudget(total=total))
        assert (constants.get(values["y"]) is not None) == known
    assert constants.reason(values["y"]).cause == "budget"


def test_simple_constants_do_not_load_onnxruntime():
    """It takes a third of a second, and most models compute nothing but shapes."""
    code = (
        "import sys, numpy as np, onnx_ir as ir; from bnfold.typed import run_typed_node\n"
        "run_typed_node(ir.node('Add', [ir.val('a'), ir.val('b')]), [np.ones(2)] * 2, opset=18)\n"
        "assert 'onnxruntime' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_constant_beside_what_is_known_to_be_none_need_not_have_been_looked_at():
    proto = model_of("a = Neg(x) y = Div(c, a)", c=np.float32(2))
    model = ir.serde.deserialize_model(proto)
    constants = TypedConstants(model)
    for node in model.graph:
        assert constants.get(node.outputs[0]) is None
    x = {"x": np.array([1.0, 4.0], np.float32)}
    (found,) = run_graph(model, x, constants=TypedConstants(model).get).values()
    np.testing.assert_array_equal(found, [-2.0, -0.5])
