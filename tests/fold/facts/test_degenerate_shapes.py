"""Scalars, axes without entries and chains without end: a fold answers, and the answer is right."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

import bnfold
from tests.fold.property.text_models import fold_checked, model, norm, weight


@pytest.mark.parametrize("op", ["Mul", "Add", "Sub", "Div"])
@pytest.mark.parametrize("order", ["(r, c)", "(c, r)"])
@pytest.mark.parametrize("constant", [(), (1,), (1, 1)])
def test_constant_arithmetic_of_a_scalar(op: str, order: str, constant: tuple[int, ...]) -> None:
    """quantize_dynamic multiplies two scales of rank 0; here one of them is constant."""
    body = f"{{ r = Sigmoid(z) v = {op}{order} y = Mul(x, v) }}"
    text = "(float[3] x, float z) => (float[] y) " + body
    fold_checked(model(text, {"c": np.full(constant, 2.5, np.float32)}), x=(3,), z=())


@pytest.mark.parametrize("op", ["Mul", "Add", "Sub", "Div"])
def test_a_scalar_by_a_scalar_between_constants(op: str) -> None:
    text = f"""(float x) => (float[] y) {{ a = {op}(x, c) b = Mul(a, c) d = Sigmoid(b)
        y = {op}(d, c) }}"""
    fold_checked(model(text, {"c": np.array(0.5, np.float32)}), x=())


def test_an_axis_of_no_channels() -> None:
    text = """(float[N, 4, 9, 9] x) => (float[] y) { a = Conv(x, w) b = Slice(a, six, six, one)
        y = BN(b, p) }"""
    constants = {
        "w": weight(6, 4, 1, 1),
        "six": np.array([6]),
        "one": np.array([1]),
        **norm("p", 0),
    }
    fold_checked(model(text, constants), x=(2, 4, 9, 9))


def test_no_elements_at_all() -> None:
    text = """(float[0, 4, 3, 3] x) => (float[] y) { a = Conv(x, w) b = BN(a, p) c = Relu(b)
        y = Mul(c, two) }"""
    constants = {"w": weight(6, 4, 1, 1), "two": np.array(2, np.float32), **norm("p", 6)}
    result = fold_checked(model(text, constants), x=(0, 4, 3, 3))
    assert result.ledger.batch_norms_after == 0


def test_no_row_that_could_meet_the_weight() -> None:
    """Nothing can be seen of the weight, however often it is tried, and so it is free to change."""
    text = "(float[2, 0, 4] x) => (float[] y) { a = MatMul(x, w) y = Mul(a, c) }"
    constants = {"w": weight(4, 3), "c": np.full(3, 2, np.float32)}
    result = fold_checked(model(text, constants), x=(2, 0, 4))
    assert len(result.ledger.folded) == 1
    assert result.ledger.unproven == ()


def test_a_gemm_without_rows_tells_that_an_extent_is_0() -> None:
    """What is proven at extents that the Gemm does not take would be an accusation of nobody."""
    text = """(float[N, 2, H, W] x) => (float[?, ?] y) { a = Tanh(x) b = BN(a, p) c = Flatten(b)
        d = Transpose<perm = [1, 0]>(c) y = Gemm<transA = 1>(d, w, v) }"""
    constants = {"w": weight(0, 3), "v": weight(3), **norm("p", 2)}
    result = fold_checked(model(text, constants), x=(2, 2, 0, 5))
    assert result.ledger.batch_norms_after == 0


def test_an_affine_along_an_empty_axis() -> None:
    text = "(float[2, 0] x) => (float[] y) { a = Relu(x) b = Mul(a, c) y = MatMul(b, w) }"
    constants = {"c": np.ones(0, np.float32), "w": np.ones((0, 3), np.float32)}
    fold_checked(model(text, constants), x=(2, 0))


@pytest.mark.parametrize("count", [1_200, pytest.param(20_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("op", ["Identity(s{0})", "Mul(s{0}, one)"])
def test_a_scale_made_by_a_chain_of_nodes(count: int, op: str) -> None:
    """The chain is constant: it is computed, and goes with the batch norm."""
    steps = " ".join(f"s{i + 1} = {op.format(i)}" for i in range(count))
    text = f"""(float[1, 4, 3, 3] x) => (float[1, 6, 3, 3] y) {{ {steps} a = Conv(x, w)
        y = BatchNormalization(a, s{count}, pb, pm, pv) }}"""
    parameters = norm("p", 6)
    constants = {
        "w": weight(6, 4, 1, 1),
        "s0": parameters.pop("pg"),
        "one": np.array(1, np.float32),
        **parameters,
    }
    folded = bnfold.fold(model(text, constants)).to_proto()
    assert [node.op_type for node in folded.graph.node] == ["Conv"]


def test_an_input_that_is_returned_keeps_what_it_declares() -> None:
    """The output of the same name says less of the shape than the input does."""
    text = """(float[2, 4, 9, 9] x) => (float[2, 6, 9, 9] y, float[N, 4, H, W] x) {
        a = Conv(x, w) y = BN(a, p) }"""
    parsed = model(text, {"w": weight(6, 4, 1, 1), **norm("p", 6)})
    folded = bnfold.fold(parsed).to_proto()
    assert folded.graph.input[0] == parsed.graph.input[0]


def test_a_model_of_the_dynamic_quantizer(tmp_path) -> None:
    quantization = pytest.importorskip("onnxruntime.quantization")
    text = """(float[N, 8] x) => (float[N, 4] y) { a = MatMul(x, w) b = Add(a, c) r = Relu(b)
        d = MatMul(r, u) y = Add(d, e) }"""
    constants = {
        "w": weight(8, 6),
        "c": weight(6, seed=1),
        "u": weight(6, 4, seed=2),
        "e": weight(4, seed=3),
    }
    plain, quantized = tmp_path / "plain.onnx", tmp_path / "quantized.onnx"
    onnx.save(model(text, constants), plain)
    quantization.quantize_dynamic(plain, quantized)
    result = fold_checked(onnx.load(quantized), x=(3, 8))
    assert not result.ledger.bugs
    assert [node.op_type for node in result.to_proto().graph.node].count("MatMulInteger") == 2
