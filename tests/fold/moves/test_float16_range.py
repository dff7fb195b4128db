"""float16: what keeps sums and products in range stays in front of them."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

import bnfold
from tests.fold.property.text_models import Array, model, norm, weight

TYPES = {"float16": np.float16, "float": np.float32}


def built(text: str, constants: dict[str, Array], dtype: str) -> onnx.ModelProto:
    typed = {
        name: a if a.dtype.kind == "i" else a.astype(TYPES[dtype]) for name, a in constants.items()
    }
    return model(text.replace("T[", dtype + "["), typed)


def ops(parsed: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in parsed.graph.node]


def guard(value: float) -> Array:
    return np.full((1, 4, 1, 1), float(value))


MOVES = {  # text, constants: in each a scale of 1/64 or of 64 stands on the safe side
    "a sum over space": (
        "m = Mul(x, c) r = ReduceSum<keepdims = 0>(m, axes) y = Gemm(r, w)",
        {"c": guard(1 / 64), "axes": np.array([2, 3]), "w": weight(4, 5)},
    ),
    "a sum of two": (
        "m = Mul(x, c) n = Mul(z, c) a = Add(m, n) y = Conv(a, w)",
        {"c": guard(1 / 64), "w": weight(6, 4, 1, 1)},
    ),
    "a sum of three": (
        "m = Mul(x, c) n = Mul(z, c) a = Sum(m, n, m) y = Conv(a, w)",
        {"c": guard(1 / 64), "w": weight(6, 4, 1, 1)},
    ),
    "a product": (
        "m = Mul(x, c) a = Mul(m, z) y = Conv(a, w)",
        {"c": guard(1 / 64), "w": weight(6, 4, 1, 1)},
    ),
    "a scale behind a difference": (
        "m = Conv(x, w) n = Conv(z, w) a = Sub(m, n) y = Mul(a, c)",
        {"c": guard(64), "w": weight(4, 4, 1, 1)},
    ),
    "a scale behind a mean": (
        "m = Conv(x, w) a = GlobalAveragePool(m) y = Mul(a, c)",
        {"c": guard(64), "w": weight(4, 4, 1, 1)},
    ),
}


@pytest.mark.parametrize("name", MOVES)
def test_a_scale_that_guards_the_range_stays_in_float16(name: str) -> None:
    body, constants = MOVES[name]
    text = f"(T[N, 4, 8, 8] x, T[N, 4, 8, 8] z) => (T[] y) {{ {body} }}"
    half = built(text, constants, "float16")
    assert ops(bnfold.fold(half).to_proto()) == ops(half)
    single = built(text, constants, "float")
    assert len(ops(bnfold.fold(single).to_proto())) < len(ops(single)), "the control"


@pytest.mark.parametrize("body", ["a = Relu(m)", "a = MaxPool<kernel_shape = [2, 2]>(m)"])
def test_a_scale_passes_what_only_chooses_among_numbers(body: str) -> None:
    text = f"(T[N, 4, 8, 8] x) => (T[] y) {{ q = Relu(x) m = Mul(q, c) {body} y = Conv(a, w) }}"
    half = built(text, {"c": guard(1 / 64), "w": weight(6, 4, 1, 1)}, "float16")
    assert "Mul" not in ops(bnfold.fold(half).to_proto())


def test_two_batch_norms_keep_a_sum_in_range() -> None:
    """4e4 + 4e4 is out of range, their normalised sum is not."""
    text = """(T[N, 4, 2, 2] x, T[N, 4, 2, 2] z) => (T[] y) { p = Relu(x) q = Relu(z)
        m = BN(p, k) n = BN(q, k) a = Add(m, n) y = Conv(a, w) }"""
    parts = {"w": weight(6, 4, 1, 1), **norm("k", 4), "kv": np.full(4, 3e4), "km": np.zeros(4)}
    half = built(text, parts, "float16")
    feeds = {name: np.full((1, 4, 2, 2), 4e4, np.float16) for name in "xz"}
    folded = bnfold.fold(half).to_proto()
    old, new = (ReferenceEvaluator(m).run(None, feeds)[0] for m in (half, folded))
    assert np.all(np.isfinite(old))
    np.testing.assert_allclose(new, old, rtol=1e-2)


def test_bfloat16_reaches_as_far_as_float32() -> None:
    text = """(bfloat16[N, 4, 8, 8] x, bfloat16[N, 4, 8, 8] z) => (bfloat16[] y) {
        m = Mul(x, c) n = Mul(z, c) a = Add(m, n) y = Conv(a, w) }"""
    parts = {"c": guard(1 / 64), "w": weight(6, 4, 1, 1)}
    typed = {name: a.astype(ml_dtypes.bfloat16) for name, a in parts.items()}
    assert "Mul" not in ops(bnfold.fold(model(text, typed, opset=22)).to_proto())


def test_columns_of_raw_features_keep_their_precision() -> None:
    """Features of 1e4 beside features of 1: in float16 the weights of the former are too small."""
    text = "(T[N, 8] x) => (T[] y) { a = BN(x, p) y = Gemm<transB = 1>(a, w, b) }"
    large = np.arange(8) % 2 == 0
    parts = {
        "w": weight(5, 8) * 0.02,
        "b": weight(5, seed=1),
        "pg": np.ones(8),
        "pb": np.zeros(8),
        "pm": np.zeros(8),
        "pv": np.where(large, 6e4, 1.0),
    }
    for gamma in (1.0, 0.1, 1e-3):
        parts["pg"] = np.where(large, gamma, 1.0)
        half = built(text, parts, "float16")
        folded = bnfold.fold(half).to_proto()
        x = (np.random.default_rng(3).normal(size=(64, 8)) * np.where(large, 245, 1)).astype("f2")
        typed = {n: a.astype(np.float16).astype(np.float64) for n, a in parts.items()}
        scaled = x.astype(np.float64) / np.sqrt(typed["pv"] + 1e-5) * typed["pg"]
        wanted = scaled @ typed["w"].T + typed["b"]
        old, new = (ReferenceEvaluator(m).run(None, {"x": x})[0] for m in (half, folded))
        errors = [np.abs(y.astype(np.float64) - wanted).max() for y in (old, new)]
        assert errors[1] <= 3 * max(errors[0], 2**-11 * np.abs(wanted).max())


def test_scales_of_a_quantised_weight_keep_their_precision() -> None:
    text = """(float16[N, 4, 3, 3] x) => (float16[] y) { w = DequantizeLinear<axis = 0>(q, s, k)
        a = Conv(x, w) y = BN(a, p) }"""
    parts = norm("p", 6)
    parts["pg"] = np.full(6, 1e-4, np.float32)
    typed: dict[str, Array] = {name: a.astype(np.float16) for name, a in parts.items()}
    typed["q"] = np.random.default_rng(0).integers(-127, 127, (6, 4, 1, 1)).astype(np.int8)
    typed |= {"s": np.full(6, 4e-4, np.float16), "k": np.zeros(6, np.int8)}
    (decision,) = bnfold.fold(model(text, typed, opset=19)).ledger.kept
    assert "underflow" in [refusal.code for refusal in decision.refusals]


SUMS = {  # which of three branches are convolutions of x, and whether they were summed before
    "(a + c) + b": ("d = Add(a, c) y = Add(d, b)", True),
    "b + (a + c)": ("d = Add(c, a) y = Add(b, d)", True),
    "(a + b) + c": ("d = Add(a, b) y = Add(d, c)", False),
    "a + b + c": ("y = Sum(a, b, c)", False),
    "(b - a) - c": ("d = Sub(b, a) y = Sub(d, c)", False),
}


@pytest.mark.parametrize("name", SUMS)
def test_branches_merge_only_where_their_sum_was_computed_before(name: str) -> None:
    """4e4 - 4e4 + 4e4 is in range, and 4e4 + 4e4 is not."""
    body, was_computed = SUMS[name]
    text = f"""(T[1, 4, 2, 2] x, T[1, 4, 2, 2] z) => (T[] y) {{ a = Conv(x, w) b = Conv(z, w)
        c = Conv(x, w) {body} }}"""
    constants = {"w": np.full((4, 4, 1, 1), 0.25)}
    half, single = (built(text, constants, dtype) for dtype in ("float16", "float"))
    assert (ops(bnfold.fold(half).to_proto()) != ops(half)) == was_computed
    assert ops(bnfold.fold(single).to_proto()) != ops(single), "the control"
