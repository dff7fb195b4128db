"""What is said of an operand that takes no affine, and of an operator without a rule, is true."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

import bnfold
from tests.fold.property.text_models import Array, model, norm, weight

CONV = "(float[N,3,5,5] x{}) => (float y) {{ {} a = Conv(x, w{}) b = BN(a, n) y = Sigmoid(b) }}"
CONSTANTS: dict[str, Array] = {
    "v": weight(4, 3, 1, 1),
    "c": weight(4),
    "u": np.array(["a"]),
    **norm("n", 4),
}


def kept(parsed: onnx.ModelProto) -> dict[str, str]:
    """The sentences of the one batch norm by their codes."""
    (decision,) = bnfold.fold(parsed, check=False).ledger.kept
    return {refusal.code: refusal.sentence for refusal in decision.refusals}


def overridable(parsed: onnx.ModelProto, name: str) -> onnx.ModelProto:
    tensor = next(t for t in parsed.graph.initializer if t.name == name)
    info = onnx.helper.make_tensor_value_info(name, tensor.data_type, tensor.dims)
    parsed.graph.input.append(info)
    return parsed


@pytest.mark.parametrize(
    ("fed", "text", "bias", "default", "code", "says"),
    [
        (", float[4,3,1,1] w", "", "", "", "dynamic-weight", "its weight is computed at run time"),
        ("", "w = Relu(v)", ", d", "", "dynamic-bias", "its bias is computed at run time"),
        ("", "w = Identity(v)", "", "v", "overridable-constant", "'v' is an input"),
        ("", "w = Identity(v)", ", c", "c", "overridable-constant", "its bias can be overridden"),
        ("", "w = Trained(v)", "", "", "constant-not-computed", "made by Trained"),
        ("", "w = RandomNormalLike(v)", "", "", "dynamic-weight", "computed at run time"),
    ],
)
def test_why_an_operand_is_no_constant(
    fed: str, text: str, bias: str, default: str, code: str, says: str
) -> None:
    fed = fed + (", float[4] d" if bias == ", d" else "")
    parsed = model(CONV.format(fed, text, bias), CONSTANTS)
    if default:
        parsed = overridable(parsed, default)
    found = kept(parsed)
    assert says in found[code]


def test_a_batch_norms_own_parameter_may_be_overridden_too() -> None:
    parsed = overridable(model(CONV.format("", "w = Identity(v)", ""), CONSTANTS), "ng")
    assert "its scale can be overridden" in kept(parsed)["overridable-constant"]


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        ("r = Erf(x) b = BN(r, n) y = Erf(b)", "not-linear", "without changing it"),
        ("r = Erf(x) b = BN(r, n) t, i = TopK(b, one) y = Identity(t)", "unknown-operator", "TopK"),
        ("q = MatMul(x, x) b = BN(q, n) y = Erf(b)", "shift-in-product", "only a scale"),
        ("if = If(p) <then_branch = g () => (float[2,4,4,4] s) { s = Erf(x) }, "
         "else_branch = h () => (float[2,4,4,4] z) { z = Sin(x) }> b = BN(if, n) y = Erf(b)",
         "not-linear", "without changing it"),
    ],
)  # fmt: skip
def test_what_is_said_of_an_operator(text: str, code: str, says: str) -> None:
    constants = {**CONSTANTS, "one": np.array([1])}
    found = kept(model(f"(float[2,4,4,4] x, bool p) => (float y) {{ {text} }}", constants))
    assert says in found[code]
    assert "dynamic-weight" not in found


def test_of_several_ways_the_obstacle_is_told_that_no_way_passes() -> None:
    """The MatMul and its bias take all of it, so that the Relu behind them is in nobody's way."""
    text = """(float[2,4,5] x) => (float u, float v) { r = Tanh(x) b = BN(r, n)
        t = Transpose<perm = [0, 2, 1]>(b) m = MatMul(t, w) a = Add(m, c) u = Relu(a)
        v = Sigmoid(t) }"""
    rng = np.random.default_rng(1)
    constants = {
        "w": rng.normal(size=(4, 6)).astype(np.float32),
        "c": rng.normal(size=6).astype(np.float32),
        **norm("n", 4),
    }
    (entry,) = bnfold.fold(model(text, constants)).ledger.kept
    assert [refusal.at for refusal in entry.refusals] == ["Tanh -> 'r'", "Sigmoid -> 'v'"]
