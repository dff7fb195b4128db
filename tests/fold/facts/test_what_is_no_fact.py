"""Declared shapes further in, names of local functions, bodies that may not run: no facts."""

from __future__ import annotations

import numpy as np
import onnx
import onnx.parser
import onnx_ir as ir
import pytest

import bnfold
from bnfold.fold.facts.graph import Facts
from tests.fold.property.oracle import run_runtime
from tests.fold.property.text_models import model, norm, weight

CROPS = """r = Relu(x) [bn] b = BN(r, p) y = Conv<strides = [2], pads = [0, 1]>(b, w)"""
"""A Conv whose padding is out of reach at even sizes, and in reach at odd ones."""


def parts() -> dict[str, np.ndarray]:
    return {"w": weight(6, 4, 2), **norm("p", 4)}


def same_at(built: onnx.ModelProto, folded: onnx.ModelProto, size: int) -> None:
    x = weight(1, 4, size, seed=5)
    old, new = run_runtime(built, {"x": x}), run_runtime(folded, {"x": x})
    assert old is not None
    assert new is not None
    np.testing.assert_allclose(new[0], old[0], atol=1e-5)


@pytest.mark.parametrize("size", ["8", "7"])
@pytest.mark.parametrize("where", ["output", "inner"])
def test_a_declaration_further_in_is_a_hint(where: str, size: str) -> None:
    inner = f"float[1, 4, {size}] r" if where == "inner" else ""
    out = "float[] y" if where == "inner" else f"float[1, 4, {size}] r, float[] y"
    text = f"(float[N, 4, W] x) => ({out}) <{inner}> {{ {CROPS} }}"
    text = text if where == "inner" else text.replace(" <>", "")
    built = model(text, parts())
    result = bnfold.fold(built)
    for actual in (7, 8):
        x = weight(1, 4, actual, seed=5)
        old, new = (run_runtime(m, {"x": x}) for m in (built, result.to_proto()))
        if old is not None and new is not None:
            np.testing.assert_allclose(new[-1], old[-1], atol=1e-5)
    assert Facts(ir.from_proto(built)).dim(ir.from_proto(built).graph.inputs[0], 2) is None
    assert result.ledger.batch_norms_after == 1


def test_a_declared_input_is_a_fact() -> None:
    """The negative control: with the size declared where the caller must keep to it, it folds."""
    built = model(f"(float[1, 4, 8] x) => (float[] y) {{ {CROPS} }}", parts())
    result = bnfold.fold(built)
    assert result.ledger.batch_norms_after == 0
    same_at(built, result.to_proto(), 8)


def function_named(name: str, body: str) -> str:
    return f"""<ir_version: 8, opset_import: ["": 18, "local": 1]>
        trap (float[1, 4, 5, 5] x) => (float[] y) {{
            a = Conv(x, w) r = local.{name}(a) y = BatchNormalization(r, pg, pb, pm, pv) }}
        <domain: "local", opset_import: ["": 18]> {name} (v) => (z) {{ {body} }}"""


@pytest.mark.parametrize("name", ["Relu", "Conv", "BatchNormalization", "Transpose"])
def test_a_local_function_is_not_the_operator_of_its_name(name: str) -> None:
    """It turns the axes round: what a Relu keeps, it does not."""
    body = "z = Transpose<perm = [0, 2, 1, 3]>(v)"
    parsed = onnx.parser.parse_model(function_named(name, body))
    tensors = {"w": weight(6, 4, 1, 1), **norm("p", 5)}
    parsed.graph.initializer.extend(onnx.numpy_helper.from_array(t, n) for n, t in tensors.items())
    result = bnfold.fold(parsed)
    x = weight(1, 4, 5, 5, seed=2)
    old, new = run_runtime(parsed, {"x": x}), run_runtime(result.to_proto(), {"x": x})
    assert old is not None
    assert new is not None
    np.testing.assert_allclose(new[0], old[0], atol=1e-5)


@pytest.mark.parametrize("name", ["Relu", "Sigmoid"])
def test_the_shape_behind_a_local_function_is_what_the_function_makes(name: str) -> None:
    parsed = onnx.parser.parse_model(function_named(name, "z = ReduceMean<keepdims = 0>(v, v)"))
    facts = Facts(ir.from_proto(parsed))
    call = next(node for node in facts.model.graph if node.domain == "local")
    dims = facts.dims(call.outputs[0])
    assert dims is None or dims != (1, 6, 5, 5)


def test_what_a_branch_needs_of_a_value_is_no_fact_of_it() -> None:
    """The branch with the Conv runs only where x has its channels."""
    text = """<ir_version: 8, opset_import: ["": 18]> trap
        (float[N, C, 3] x, bool c) => (float[] y) {
        y = If (c) <
            then_branch = then () => (float[] t) { t = Conv(x, w) },
            else_branch = other () => (float[] e) { e = Relu(x) }> }"""
    parsed = onnx.parser.parse_model(text)
    parsed.graph.initializer.append(onnx.numpy_helper.from_array(weight(6, 4, 1), "w"))
    facts = Facts(ir.from_proto(parsed))
    assert facts.dims(facts.model.graph.inputs[0]) == ("N", "C", 3)


def test_a_value_that_a_loop_lets_grow_has_no_known_size() -> None:
    text = """<ir_version: 8, opset_import: ["": 18]> trap (float[1, 4] x) => (float[] y) {
        y = Loop (m, go, x) <body = body
            (int64 i, bool k, float[1, 4] s) => (bool l, float[1, 4] n) {
            l = Identity(k) n = Concat<axis = 0>(s, s) }> }"""
    parsed = onnx.parser.parse_model(text)
    tensors = {"m": np.array(3), "go": np.array(True)}
    parsed.graph.initializer.extend(onnx.numpy_helper.from_array(t, n) for n, t in tensors.items())
    facts = Facts(ir.from_proto(parsed))
    loop = next(node for node in facts.model.graph if node.op_type == "Loop")
    for value in (loop.outputs[0], *loop.attributes["body"].as_graph().outputs):
        assert facts.dim(value, 0) is None


@pytest.mark.parametrize(
    ("turn", "known"),
    [
        ("n = Tanh(s)", (1, 4)),
        ("n = Concat<axis = 0>(s, s)", None),
        ("t = Tanh(s) n = Add(t, s)", (1, 4)),
        ("n = Transpose<perm = [1, 0]>(s)", None),
    ],
)
def test_what_a_loop_carries_has_a_size_where_a_turn_gives_it_back(turn, known) -> None:
    text = f"""<ir_version: 8, opset_import: ["": 18]> trap (float[1, 4] x) => (float[] y) {{
        y = Loop (m, go, x) <body = body
            (int64 i, bool k, float[A, B] s) => (bool l, float[C, D] n) {{
            l = Identity(k) {turn} }}> }}"""
    parsed = onnx.parser.parse_model(text)
    tensors = {"m": np.array(3), "go": np.array(True)}
    parsed.graph.initializer.extend(onnx.numpy_helper.from_array(t, n) for n, t in tensors.items())
    facts = Facts(ir.from_proto(parsed))
    loop = next(node for node in facts.model.graph if node.op_type == "Loop")
    body = loop.attributes["body"].as_graph()
    dims = facts.dims(body.inputs[2])
    assert dims == known or (known is None and not any(isinstance(d, int) for d in dims or ()))


def test_a_default_that_the_caller_may_override_decides_no_size() -> None:
    text = "(float[1, 4, 6] x, int64[3] shape) => (float[] y) { y = Reshape(x, shape) }"
    parsed = model(text, {"shape": np.array([1, 6, 4])})
    facts = Facts(ir.from_proto(parsed))
    assert not any(isinstance(d, int) for d in facts.dims(facts.model.graph.outputs[0]) or ())
