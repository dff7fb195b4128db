"""An If that every run decides alike is the body that it takes, and batch norms meet its nodes."""

from __future__ import annotations

import numpy as np
import onnx
import onnx.parser
import onnx_ir as ir
import pytest

import bnfold
from bnfold.float64 import run_graph
from bnfold.fold import FoldBatchNorm, FoldResult
from tests.fold.property.oracle import check_fold, count_nodes, kinds_of
from tests.fold.property.text_models import list_initializers, model, norm, verdicts, weight

T = "float[2, 4, 3, 3]"
X = weight(2, 4, 3, 3)
W = {
    "w": weight(4, 4, 1, 1),
    "v": weight(4, 4, 1, 1, seed=2),
    "yes": np.array(True),
    "no": np.array([False]),
    "two": np.array([2]),
    "zero": np.array([0]),
    **norm("p", 4),
    **norm("q", 4, seed=5),
    **norm("r", 4, signs=True, seed=7),
}
CONV, SIGMOID = "t0 = Conv(x, w)", "e0 = Sigmoid(x)"


def _if(condition: str, then: str = CONV, other: str = SIGMOID, outputs: int = 1) -> str:
    """`t0`, `e0`, ... are what the bodies return; `i0`, ... what the If makes."""
    made = ", ".join(f"i{k}" for k in range(outputs))
    bodies = [
        f"({', '.join(f'{T} {name}{k}' for k in range(outputs))}) {{ {body} }}"
        for name, body in (("t", then), ("e", other))
    ]
    return f"""{made} = If({condition}) <then_branch = th () => {bodies[0]},
        else_branch = el () => {bodies[1]}>"""


def _built(body: str, outputs: str = f"{T} y", inputs: str = f"{T} x") -> onnx.ModelProto:
    return model(f"({inputs}) => ({outputs}) {{ {body} }}", W)


def _folded(body: str, outputs: str = f"{T} y", inputs: str = f"{T} x") -> FoldResult:
    feeds = {"x": X, "c": np.array(True)} if " c" in inputs else {"x": X}
    return check_fold(_built(body, outputs, inputs), [feeds])


THEN = "b = Conv(a, w) t0 = BN(b, q)"
ELSE = "b = Conv(a, v) c = Sigmoid(b) e0 = BN(c, q)"


@pytest.mark.parametrize(
    ("condition", "kinds"), [("yes", "Relu Conv"), ("no", "Relu Conv Sigmoid Conv")]
)
def test_batch_norms_before_it_in_it_and_behind_it(condition: str, kinds: str) -> None:
    body = f"f = Relu(x) a = BN(f, p) {_if(condition, THEN, ELSE)} d = BN(i0, r) y = Conv(d, v)"
    result = _folded(body)
    assert kinds_of(result) == kinds.split()
    assert result.ledger.summary == "batch norms: 4 -> 0"
    place = "then_branch" if condition == "yes" else "else_branch"
    told = f"If -> 'i0' always takes its {place}, which stands in its place"
    assert result.ledger.merges[0] == told
    (gone,) = [d for d in result.ledger.decisions if d.scope == "If -> 'i0'"]
    assert (gone.name, gone.status, gone.rules) == (
        "e0" if condition == "yes" else "t0", "folded", ("if",)
    )  # fmt: skip


CONDITIONS = {
    "a Constant": ("k = Constant<value_ints = [1]>() k1 = Cast<to = 9>(k)", ""),
    "computed": ("k = Not(no) k1 = And(k, yes)", "no yes"),
    "of a static size": ("s = Shape(x) k = Gather(s, zero) k1 = Equal(k, two)", "zero two"),
}


@pytest.mark.parametrize("name", CONDITIONS)
def test_what_decides_goes_with_it(name: str) -> None:
    before, constants = CONDITIONS[name]
    result = _folded(f"{before} {_if('k1')} y = BN(i0, p)")
    assert kinds_of(result) == ["Conv"]
    left = {tensor.name for tensor in result.to_proto().graph.initializer}
    assert not left & set(constants.split())


def test_what_decides_stays_for_others() -> None:
    result = _folded(f"k = Not(no) {_if('k')} b = BN(i0, p) y = Where(k, b, x)")
    assert kinds_of(result) == ["Not", "Conv", "Where"]


KEPT = {
    "fed": ("", f"{T} x, bool c", "c"),
    "of an open size": ("s = Shape(x) k = Gather(s, zero) c = Equal(k, two)",
                        "float[N, 4, 3, 3] x", "c"),
    "of numbers that are fed": ("m = ReduceMax<keepdims = 0>(x) c = Greater(m, e)", f"{T} x", "c"),
}  # fmt: skip


@pytest.mark.parametrize("name", KEPT)
def test_what_a_run_decides_stays(name: str) -> None:
    before, inputs, condition = KEPT[name]
    text = f"({inputs}) => ({T} y) {{ {before} {_if(condition)} y = BN(i0, p) }}"
    built = model(text, {**W, "e": np.array(9.0, np.float32)})
    feeds = {"x": X, "c": np.array(True)} if name == "fed" else {"x": X}
    assert kinds_of(check_fold(built, [feeds])).count("If") == 1


def test_an_initializer_that_the_caller_may_override_decides_nothing() -> None:
    built = _built(f"{_if('yes')} y = BN(i0, p)")
    built.graph.input.append(onnx.helper.make_tensor_value_info("yes", onnx.TensorProto.BOOL, []))
    assert kinds_of(check_fold(built, [{"x": X}])) == ["If", "BatchNormalization"]


def test_before_ir_version_4_every_initializer_is_listed() -> None:
    text = f"({T} x) => ({T} y) {{ {_if('yes')} y = BN(i0, p) }}"
    built = list_initializers(model(text, W, opset=8, ir_version=3))
    assert kinds_of(check_fold(built, [{"x": X}], with_runtime=False)) == ["Conv"]


@pytest.mark.parametrize("skip", ["if", "i0", "which"])
def test_an_if_that_is_skipped_stays(skip: str) -> None:
    built = _built(f"[which] {_if('yes')} y = BN(i0, p)")
    assert "If" in kinds_of(check_fold(built, [{"x": X}], skip=[skip]))


def test_without_a_batch_norm_nothing_changes() -> None:
    result = bnfold.fold(_built(f"{_if('yes')} y = Relu(i0)"))
    assert kinds_of(result) == ["If", "Relu"]
    assert result.ledger.merges == ()


def test_an_output_of_the_graph_keeps_its_name_and_type() -> None:
    text = f"f = Conv(x, w) a = BN(f, p) {_if('yes', 'y0 = Conv(a, v) t0 = Relu(y0)')}"
    result = _folded(text.replace("i0 =", "y ="))
    assert kinds_of(result) == ["Conv", "Relu"]
    (output,) = result.to_proto().graph.output
    assert output == _built("y = Relu(x)").graph.output[0]


def _outside_pass(model: ir.Model) -> ir.Model:
    """Folded without being read from a file, where bodies return what files do not let them."""
    FoldBatchNorm()(model)
    return model


def test_one_value_returned_twice() -> None:
    """onnxruntime is not asked: for the second it gives memory that nobody wrote."""
    body = _if("yes", "t0 = Conv(x, w) t1 = Relu(t0)", "e0 = Relu(x) e1 = Neg(x)", 2)
    built = _built(f"{body} a = BN(i0, p) b = BN(i1, q) y = Add(a, b)", f"{T} i0, {T} i1, {T} y")
    then = next(a.g for n in built.graph.node for a in n.attribute if a.name == "then_branch")
    del then.node[1]
    then.output[1].name = "t0"
    folded = _outside_pass(ir.from_proto(built))
    assert [output.name for output in folded.graph.outputs] == ["i0", "i1", "y"]
    assert "If" not in [node.op_type for node in folded.graph]
    old, new = run_graph(ir.from_proto(built), {"x": X}), run_graph(folded, {"x": X})
    for name, wanted in old.items():
        np.testing.assert_allclose(new[name], wanted, rtol=1e-5, atol=1e-5)


def test_a_body_that_returns_what_it_has_not_made_stays() -> None:
    model = ir.from_proto(_built(f"o = Conv(x, w) {_if('yes')} y = BN(i0, p)"))
    conv, chosen, _ = model.graph
    chosen.attributes["then_branch"].as_graph().outputs[0] = conv.outputs[0]
    assert "If" in [node.op_type for node in _outside_pass(model).graph]


def test_names_that_bodies_have_in_common() -> None:
    """Constants of the bodies' own, too."""
    first, second = _if("yes"), _if("no", "t0 = Relu(i0)", "g = Conv(i0, k) e0 = BN(g, q)")
    second = second.replace("i0 =", "j0 =").replace("e0", "t0").replace("th ", "t2 ")
    built = _built(f"{first} {second} y = BN(j0, p)")
    for place, name in ((0, "then_branch"), (1, "else_branch")):
        body = next(a.g for a in built.graph.node[place].attribute if a.name == name)
        tensor = onnx.numpy_helper.from_array(weight(4, 4, 1, 1, seed=place), "k")
        body.initializer.append(tensor)
        body.node[0].input[1] = "k"
    result = check_fold(built, [{"x": X}])
    assert kinds_of(result) == ["Conv"]


INNER = _if("no", "t0 = Tanh(x)", "e0 = Conv(x, w)").replace("i0 =", "g =")


@pytest.mark.parametrize(
    ("outer", "left"),
    [("yes", ["Conv", "Relu", "Conv"]), ("no", ["Sigmoid", "BatchNormalization"])],
)
def test_ifs_within_ifs(outer: str, left: list[str]) -> None:
    inner = INNER.replace("t0", "h").replace("e0", "k")
    then = f"{inner} n = BN(g, q) m = Relu(n) t0 = Conv(m, v)"
    assert kinds_of(_folded(f"{_if(outer, then)} y = BN(i0, p)")) == left


def test_in_a_body_that_a_run_decides_on() -> None:
    inner = INNER.replace("t0", "h").replace("e0", "k")
    result = _folded(f"{_if('c', f'{inner} t0 = BN(g, q)')} y = Neg(i0)", inputs=f"{T} x, bool c")
    assert count_nodes(result.to_proto()) == 4
    assert verdicts(result)["t0"] == "backward"


def test_in_the_body_of_a_loop() -> None:
    body = onnx.parser.parse_graph(
        f"""body (int64 i, bool k, {T} x) => (bool kept, {T} out) {{
            kept = Identity(k) {_if("yes")}
            b = BatchNormalization(i0, pg, pb, pm, pv) out = Sigmoid(b) }}"""
    )
    built = model(f"({T} z) => ({T} y) {{ y = Loop(n, , z) }}", {**W, "n": np.array(2)})
    built.graph.node[0].attribute.append(onnx.helper.make_attribute("body", body))
    result = check_fold(built, [{"z": X}])
    assert count_nodes(result.to_proto()) == 4


def test_what_only_the_other_body_reads_holds_nothing_back() -> None:
    result = _folded(
        f"o = Conv(x, v) b = BN(o, p) {_if('yes', other='e0 = Erf(o)')} y = Add(b, i0)"
    )
    assert result.ledger.batch_norms_after == 0
    assert result.ledger.bugs == ()


def test_a_shape_that_the_body_states_is_no_fact() -> None:
    """What is declared further in may be false; the graph's own output stays as it was declared."""
    built = _built(f"{_if('yes')} b = BN(i0, p) y = Relu(b)", "float[2, 4, P, Q] y")
    body = next(a.g for n in built.graph.node for a in n.attribute if a.name == "then_branch")
    body.output[0].type.tensor_type.shape.dim[1].dim_value = 7
    result = bnfold.fold(built)
    assert kinds_of(result) == ["Conv", "Relu"]
    assert result.to_proto().graph.output[0] == built.graph.output[0]
