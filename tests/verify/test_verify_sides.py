"""Sides that the usual inputs leave at rest in some channel, mask or size only."""

from __future__ import annotations

import numpy as np
import pytest

import bnfold
from tests.verify.graphs import parsed

RNG = np.random.default_rng(0)
WEIGHT = (RNG.normal(size=(16, 10)) / 4).astype(np.float32)
BIAS = np.where(np.arange(10) == 5, 30, 0).astype(np.float32)
SLOPES = np.full(10, 0.25, np.float32)
OTHER = np.where(np.arange(10) == 5, 0.5, 0.25).astype(np.float32)
"""Channel 5 is far above 0 on every usual input."""

NUMBERS = {"one": 1, "half": 0.5, "low": -300, "high": 300}
STORED = {name: np.float32(number) for name, number in NUMBERS.items()}
ENDS = {
    "last": np.array([1]),
    "start": np.array([0]),
    "ten": np.array([10]),
    "most": np.array([5000]),
}


CUT = "y = Slice (x, start, ten, last)"


def graph(body, inputs="float[N,16] x"):
    stored = {"w": WEIGHT, "b": BIAS, "s": SLOPES, "t": OTHER, "zero": np.zeros(10, np.float32)}
    stored["least"] = np.where(np.arange(10) == 5, -1e30, 0).astype(np.float32)
    found = parsed(f"g ({inputs}) => (float y) {{ {body} }}", **stored, **STORED, **ENDS)
    found.graph.output[0].type.tensor_type.ClearField("shape")
    return found


AFFINE = "h = Gemm (x, w, b)"
MASKED = "float[N,16] x, bool[N,16] m"
PARTING = {
    "the slope of a channel above 0": (
        f"{AFFINE}  y = PRelu (h, s)",
        f"{AFFINE}  y = PRelu (h, t)",
    ),
    "one slope, or one a channel": (
        f"{AFFINE}  y = LeakyRelu <alpha = 0.25> (h)",
        f"{AFFINE}  y = PRelu (h, t)",
    ),
    "a bound that one channel lacks": (f"{AFFINE}  y = Relu (h)", f"{AFFINE}  y = Max (h, least)"),
    "bounds in another type": (
        "y = Identity (x)",
        "l = Cast <to = 11> (low)  k = CastLike (l, x)  u = CastLike (high, x)  y = Clip (x, k, u)",
    ),
    "up at a half, or to even": ("y = Round (x)", "a = Add (x, half)  y = Floor (a)"),
    "more than ten rows": ("y = Identity (x)", "y = Slice (x, start, ten, start)"),
}
SAME = {
    "slopes": (f"{AFFINE}  y = LeakyRelu <alpha = 0.25> (h)", f"{AFFINE}  y = PRelu (h, s)"),
    "bounds": (f"{AFFINE}  y = Relu (h)", f"{AFFINE}  y = Max (h, zero)"),
}


@pytest.mark.parametrize("kind", PARTING)
def test_what_parts_in_one_channel_type_or_size_is_different(kind):
    assert bnfold.verify(*map(graph, PARTING[kind])).verdict == "different"


@pytest.mark.parametrize("kind", SAME)
def test_what_is_the_same_in_each_channel_is_equivalent(kind):
    found = bnfold.verify(*map(graph, SAME[kind]))
    assert found.is_equivalent, found.reason
    assert "never met" not in found.reason


def test_a_mask_that_is_true_everywhere_is_fed():
    ours = "y = Where (m, x, one)"
    others = """f = Cast <to = 1> (m)  a = ReduceMin (f)  q = Equal (a, one)  d = Add (x, one)
        e = Where (q, d, x)  y = Where (m, e, one)"""
    assert bnfold.verify(graph(ours, MASKED), graph(others, MASKED)).verdict == "different"


def test_what_is_never_larger_is_no_cut():
    ours, others = (graph(body, "float[3,10] x") for body in ("y = Identity (x)", CUT))
    found = bnfold.verify(ours, others)
    assert found.is_equivalent
    assert "what lies behind" not in found.reason


def test_a_cut_that_no_size_reaches_is_named():
    cut = graph("y = Slice (x, start, most, start)")
    found = bnfold.verify(graph("y = Identity (x)"), cut)
    assert found.is_equivalent
    assert "what lies behind the end 5000 of axis 0 in Slice 'y' of the other model" in found.reason
