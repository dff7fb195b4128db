"""Numbers that are cut into steps on the way: what rounding flips, and what it does not."""

from __future__ import annotations

import numpy as np
import pytest

import bnfold
from bnfold.model_io import load
from bnfold.verify.seen_operators import stepped_outputs
from tests.verify.graphs import parsed

STEPS = {
    "Floor": ("b = Add (a, half)  f = Floor (b)", 1),
    "Cast": ("i = Cast <to = 6> (a)  f = Cast <to = 1> (i)", 6),
}
"""How a number is cut off, and a seed with which the fold flips one."""


def network(kind, *, off=1.0):
    """A convolution with its batch norm, steps, another one; `off` is what is wrong of a weight."""
    steps, seed = STEPS[kind]
    rng = np.random.default_rng(seed)
    text = f"""g (float[N,3,16,16] x) => (float[N,8,1,1] y) {{
        h = Conv <pads = [1,1,1,1]> (x, w)  n = BatchNormalization (h, scale, bias, mean, variance)
        a = Mul (n, sixteen)  {steps}  q = Div (f, sixteen)
        k = Conv <pads = [1,1,1,1]> (q, v)  r = Relu (k)  y = GlobalAveragePool (r)
    }}"""
    w, v = (rng.normal(size=(out, each, 3, 3)) for out, each in ((16, 3), (8, 16)))
    norm = {
        "scale": rng.uniform(0.5, 1.5, 16),
        "bias": rng.normal(size=16),
        "mean": rng.normal(size=16),
        "variance": rng.uniform(0.5, 2.0, 16),
    }
    v *= off
    stored = {"w": w, "v": v, "sixteen": np.array(16), "half": np.array(0.5), **norm}
    return parsed(text, **{name: array.astype(np.float32) for name, array in stored.items()})


@pytest.mark.parametrize("kind", STEPS)
def test_a_step_that_a_correct_fold_flips_is_no_difference(kind):
    model = network(kind)
    found = bnfold.verify(model, bnfold.fold(model, check=False).to_proto())
    assert found.is_equivalent, found.reason


@pytest.mark.parametrize("kind", STEPS)
def test_weights_behind_steps_that_are_off_are_found(kind):
    assert bnfold.verify(network(kind), network(kind, off=1.001)).verdict == "different"


def test_a_size_that_is_rounded_down_is_no_step():
    text = """g (float[N,3,H,W] x) => (float[N,3,h,w] y) {
        s = Shape (x)  f = Cast <to = 1> (s)  m = Mul (f, scales)  d = Floor (m)
        i = Cast <to = 7> (d)  y = Resize <mode = "nearest"> (x, , , i)
    }"""
    scales = np.array([1, 1, 1.5, 1.5], np.float32)
    assert not stepped_outputs(load(parsed(text, scales=scales)))
    assert stepped_outputs(load(network("Floor"))) == {"y"}
