"""Loud and faint numbers: neither hides the other, and none is too large or small to be squared."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import numpy_helper

import bnfold
from tests.verify.graphs import parsed

HEAD = """g (float[N,16,20,20] x) => (float[N,8,20,20] y) {
    c = Conv (x, w)  y = BatchNormalization (c, s, t, m, v)
}"""


def head(faint, *, channel=5, factor=1.0):
    """Four channels of boxes, about 1000, and four of scores, about `faint`, in one output."""
    rng = np.random.default_rng(0)
    loudness = np.repeat([300.0, faint], 4)
    w = rng.normal(size=(8, 16, 1, 1))
    scale = rng.uniform(0.5, 1.5, 8) * loudness
    scale[channel] *= factor
    return parsed(
        HEAD,
        w=w,
        s=scale,
        t=rng.normal(size=8) * loudness,
        m=rng.normal(size=8),
        v=rng.uniform(0.5, 1.5, 8),
    )


@pytest.mark.parametrize("faint", [1.0, 1e-2, 1e-4, 1e-5])
def test_a_faint_channel_beside_loud_ones_has_a_budget_of_its_own(faint):
    model = head(faint)
    assert bnfold.verify(model, bnfold.fold(model).model).is_equivalent
    for factor in (1.00002, 1.01, -1.0):
        found = bnfold.verify(model, head(faint, factor=factor))
        assert found.verdict == "different"
        assert {row.worst_channel for row in found.outputs} == {5}


def scores(body, fed="float[N,16] x", *, factor=1.0, faint=1e-12, shift=0.0):
    """Ten scores of rows, of which one is faint, or made so by what is behind it."""
    rng = np.random.default_rng(5)
    w, b = rng.normal(size=(16, 10)), np.zeros(10)
    w[:, 3] *= faint * factor
    b[3] = shift
    found = parsed(f"g ({fed}) => (float y) {{ h = Gemm (x, w, b)  {body} }}", w=w, b=b)
    found.graph.output[0].type.tensor_type.ClearField("shape")
    return found


@pytest.mark.parametrize("body", ["y = Identity (h)", "y = Mul (h, h)"])
@pytest.mark.parametrize("faint", [1e-6, 1e-12])
def test_a_faint_score_of_rows_is_seen_in_many_of_them(body, faint):
    ours, others = (scores(body, faint=faint, factor=factor) for factor in (1.0, 1.3))
    assert bnfold.verify(ours, others).verdict == "different"
    found = bnfold.verify(ours, ours)
    assert found.is_equivalent
    assert "faint" not in found.reason


@pytest.mark.parametrize(
    "kind",
    [
        {"body": "y = Identity (h)", "fed": "float[1,16] x"},
        {"body": "e = Exp (h)  y = Mul (e, e)", "faint": 1.0, "shift": -14.0},
    ],
)
def test_a_channel_that_is_too_faint_to_tell_a_fault_is_named(kind):
    """One row a set, or a channel that is most of all what a few rows are."""
    found = bnfold.verify(scores(**kind), scores(**kind, factor=1.3))
    assert found.is_equivalent
    assert "1 channel of output 'y' too faint beside the others" in found.reason
    assert {row["faint_channels"] for row in found.to_dict()["outputs"]} == {1}


def test_a_channel_that_is_nothing_but_rounding_has_none():
    """x - x with one of the two rounded elsewhere: 0 in one model, 1e-9 in the other."""
    text = """g (float[N,4,8,8] x) => (float[N,2,8,8] y) {{
        a = Conv (x, w)  b = ReduceSum <keepdims = 1> (x, axis)  z = Sub (b, {other})
        y = Concat <axis = 1> (a, z)
    }}"""
    weights = {
        "w": np.random.default_rng(0).normal(size=(1, 4, 1, 1)),
        "axis": np.array([1]),
        "ones": np.ones((1, 4, 1, 1)),
    }
    dead = parsed(text.format(other="b"), **weights)
    body = text.replace("z = Sub", "d = Conv (x, ones)  z = Sub")
    rest = parsed(body.format(other="d"), **weights)
    assert bnfold.verify(dead, rest).is_equivalent
    assert bnfold.verify(rest, dead).is_equivalent


@pytest.mark.parametrize("scale", [1e100, 1e155, 1e200, 1e300, 1e-100, 1e-162, 1e-200, 1e-300])
def test_numbers_whose_squares_are_no_float64_are_compared(scale):
    text = "g (double[N,8] x) => (double[N,4] y) { y = MatMul (x, w) }"
    w = np.random.default_rng(0).normal(size=(8, 4)) * scale

    def product(factor):
        model = parsed(text)
        model.graph.initializer.append(numpy_helper.from_array(w * factor, "w"))
        return model

    assert bnfold.verify(product(1.0), product(1.0)).is_equivalent
    assert bnfold.verify(product(1.0), product(1.0 + 1e-12)).verdict == "different"
