"""An affine behind a Scan or Loop goes into what its body stacks; one that ends there goes on."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

import bnfold
from tests.fold.property.oracle import count_nodes
from tests.fold.property.text_models import fold_checked, model, norm, verdicts, weight

W = {
    "w": weight(3, 4),
    "u": weight(4, 4) * 0.1,
    "o": weight(4, 5),
    "k": weight(5, 5),
    "zero": np.zeros((2, 4), np.float32),
    **norm("p", 5, signs=True),
    **norm("q", 4, seed=5),
}
CELL = "a = MatMul(s, w) b = MatMul(h, u) c = Add(a, b) n = Tanh(c)"
CHANNELS_FIRST = "t = Transpose<perm = [1, 2, 0]>(ys) z = BN(t, p) y = Sigmoid(z)"


def _scan(
    body: str,
    after: str,
    attributes: str = "",
    stacked: str = "float[2, 5] r",
    outputs: str = "float y",
    x: str = "float[T, 2, 3]",
) -> onnx.ModelProto:
    """A recurrent cell `n` over x [T, 2, 3]; the body returns `n`, and what it stacks."""
    return model(
        f"""({x} x) => ({outputs}) {{ last, ys = Scan<num_scan_inputs = 1, {attributes}
            body = turn (float[2, 4] h, float[2, 3] s) => (float[2, 4] n, {stacked})
            {{ {CELL} {body} }}>(zero, x) {after} }}""",
        W,
    )


@pytest.mark.parametrize("turns", [1, 4])
def test_what_each_turn_makes_takes_it(turns: int) -> None:
    result = fold_checked(_scan("r = MatMul(n, o)", CHANNELS_FIRST), x=(turns, 2, 3))
    assert verdicts(result) == {"z": "backward"}
    (entry,) = result.ledger.decisions
    assert "scan" in entry.rules


@pytest.mark.parametrize(
    ("axis", "perm"), [(1, "[0, 2, 1]"), (-1, "[0, 1, 2]"), (2, "[0, 1, 2]"), (-3, "[1, 2, 0]")]
)
@pytest.mark.parametrize("x", ["float[T, 2, 3]", "float[4, 2, 3]"])
def test_turns_are_stacked_along_any_axis(axis: int, perm: str, x: str) -> None:
    after = CHANNELS_FIRST.replace("[1, 2, 0]", perm)
    built = _scan("r = MatMul(n, o)", after, f"scan_output_axes = [{axis}],", x=x)
    assert verdicts(fold_checked(built, x=(4, 2, 3))) == {"z": "backward"}


def test_a_batch_norm_at_the_end_of_a_turn_goes_on_behind_the_loop() -> None:
    """Nothing in the body takes it, and the product behind does."""
    body = "e = MatMul(n, o) g = Sigmoid(e) r = BN(g, p)"
    result = fold_checked(_scan(body, "z = MatMul(ys, k) y = Tanh(z)"), x=(3, 2, 3))
    assert count_nodes(result.to_proto(), "BatchNormalization") == 0


def test_a_scale_that_differs_from_turn_to_turn_stays() -> None:
    built = _scan(
        "r = MatMul(n, o)",
        "t = Transpose<perm = [1, 0, 2]>(ys) z = BN(t, q) y = Sigmoid(z)",
        x="float[4, 2, 3]",
    )
    assert "not-per-channel" in verdicts(fold_checked(built, x=(4, 2, 3)))["z"]


def test_what_is_carried_to_the_next_turn_stays() -> None:
    """It is the next turn's input too: an affine on it would be taken again in each of them."""
    built = _scan("r = MatMul(n, o)", "z = BN(last, q) f = Flatten(ys) v = Sigmoid(z) y = Tanh(v)")
    assert "nested-scope" in verdicts(fold_checked(built, x=(3, 2, 3)))["z"]


def test_what_is_stacked_and_carried_stays() -> None:
    after = "t = Transpose<perm = [1, 2, 0]>(ys) z = BN(t, q) y = Sigmoid(z)"
    built = _scan("r = Identity(n)", after, stacked="float[2, 4] r")
    found = verdicts(fold_checked(built, x=(3, 2, 3)))
    assert found["z"] != "backward"


def test_two_stacks_of_one_value_stay_where_one_is_read_as_it_is() -> None:
    text = f"""(float[T, 2, 3] x) => (float y, float v) {{
        last, ys, zs = Scan<num_scan_inputs = 1, body = turn (float[2, 4] h, float[2, 3] s)
            => (float[2, 4] n, float[2, 5] r, float[2, 5] d) {{
            {CELL} r = MatMul(n, o) d = Identity(r) }}>(zero, x)
        {CHANNELS_FIRST} v = Erf(zs) }}"""
    assert verdicts(fold_checked(model(text, W), x=(3, 2, 3)))["z"] != "backward"


def test_the_body_keeps_its_weights_where_others_read_them() -> None:
    after = f"{CHANNELS_FIRST} last2 = MatMul(last, o) v = Tanh(last2)"
    built = _scan("r = MatMul(n, o)", after, outputs="float y, float v")
    assert verdicts(fold_checked(built, x=(3, 2, 3))) == {"z": "backward"}


def test_a_turn_in_which_a_branch_is_taken() -> None:
    body = """go = Greater(total, none) r = If(go) <
        then_branch = th () => (float[2, 5] t0) { t0 = MatMul(n, o) },
        else_branch = el () => (float[2, 5] e0) { f0 = MatMul(n, o) e0 = MatMul(f0, k) }>"""
    built = _scan(f"total = ReduceSum<keepdims = 0>(n) {body}", CHANNELS_FIRST)
    built.graph.initializer.append(onnx.numpy_helper.from_array(np.float32(0), "none"))
    assert verdicts(fold_checked(built, x=(5, 2, 3))) == {"z": "backward"}


def _loop(body: str, after: str, carried: str = "float[2, 4] h") -> onnx.ModelProto:
    """x [2, 3] is fed to each of three turns, which carry `n`."""
    graph = onnx.parser.parse_graph(
        f"""turn (int64 i, bool go, {carried}) => (bool on, float[2, 4] n, float[2, 5] r) {{
            on = Identity(go) t = Cast<to = 1>(i) s = Add(x, t) {body} }}"""
    )
    text = f"(float[2, 3] x) => (float y) {{ last, ys = Loop(three, yes, zero) {after} }}"
    built = model(text, {**W, "three": np.array(3), "yes": np.array(True)})
    built.graph.node[0].attribute.append(onnx.helper.make_attribute("body", graph))
    return built


def test_a_loop_stacks_what_it_makes_of_what_it_carries() -> None:
    built = _loop(f"{CELL} r = MatMul(n, o)", CHANNELS_FIRST)
    assert verdicts(fold_checked(built, x=(2, 3))) == {"z": "backward"}


def test_a_loop_that_carries_more_in_each_turn_keeps_what_is_behind_it() -> None:
    """Nobody knows the shape of what its body makes then."""
    body = """a = MatMul(s, w) g = ReduceMean<axes = [0], keepdims = 1>(h) c = Add(a, g) b = Tanh(c)
        n = Concat<axis = 0>(h, b) r = MatMul(b, o)"""
    built = _loop(body, CHANNELS_FIRST, carried="float[N, 4] h").SerializeToString()
    proto = onnx.ModelProto.FromString(built)
    loop = next(node for node in proto.graph.node if node.op_type == "Loop")
    (graph,) = (a.g for a in loop.attribute if a.name == "body")
    graph.output[1].type.tensor_type.shape.dim[0].ClearField("dim_value")
    result = bnfold.fold(proto)
    assert not result.ledger.bugs


def test_the_scan_of_opset_8_is_left_alone() -> None:
    """It has an axis of batches in front of the turns."""
    body = """r = MatMul(n, o)"""
    text = f"""(float[1, T, 2, 3] x) => (float y) {{ last, ys = Scan<num_scan_inputs = 1,
        body = turn (float[2, 4] h, float[2, 3] s) => (float[2, 4] n, float[2, 5] r)
        {{ {CELL} {body} }}>(, zero, x) g = Squeeze<axes = [0]>(ys) {CHANNELS_FIRST} }}"""
    built = model(
        text.replace("(ys) z", "(g) z"), {**W, "zero": np.zeros((1, 2, 4), np.float32)}, opset=8
    )
    result = bnfold.fold(built, check=False)
    assert not any("scan" in decision.rules for decision in result.ledger.decisions)


def test_a_body_does_not_come_to_return_one_value_twice() -> None:
    """onnxruntime makes such a value once, and leaves the other output as memory was."""
    text = f"""(float[T, 2, 3] x) => (float y, float v) {{
        last, ys, zs = Scan<num_scan_inputs = 1, body = turn (float[2, 4] h, float[2, 3] s)
            => (float[2, 4] n, float[2, 5] r, float[2, 5] d) {{
            {CELL} e = MatMul(n, o) g = Sigmoid(e) r = BN(g, p) d = Identity(r) }}>(zero, x)
        f = MatMul(ys, k) y = Tanh(f) i = MatMul(zs, k) v = Erf(i) }}"""
    result = fold_checked(model(text, W), x=(3, 2, 3))
    for graph in result.model.graphs():
        assert len({*graph.outputs}) == len(graph.outputs)


def test_a_scan_that_leaves_an_output_out_is_left_alone() -> None:
    """No runtime takes it; the fold says nothing of a bug."""
    built = _scan("e = MatMul(n, o) g = Sigmoid(e) r = BN(g, p)", "y = Tanh(last)")
    next(node for node in built.graph.node if node.op_type == "Scan").output.pop()
    assert not bnfold.fold(built, check=False).ledger.bugs
