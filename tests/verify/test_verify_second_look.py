"""Another model that rounds more coarsely than the original is the same function, up to a point."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

import bnfold
from tests.verify.graphs import parsed

ENDS = "g (float[N,64] x) => (float[N,64] y)"
CENTRED = """m = ReduceMean <axes = [1]> (u)  d = Sub (u, m)  q = Mul (d, d)
    v = ReduceMean <axes = [1]> (q)  r = Sqrt (v)  y = Div (d, r)"""
MOMENTS = """m = ReduceMean <axes = [1]> (u)  d = Sub (u, m)  q = Mul (u, u)  k = Mul (m, m)
    e = ReduceMean <axes = [1]> (q)  v = Sub (e, k)  r = Sqrt (v)  y = Div (d, r)"""
"""(x - E x) / sqrt(E (x - E x)^2), and with E x^2 - (E x)^2, in which digits cancel."""


def normed(text, *, mean=0.0, factor=1.0):
    """What is around `mean`, normed; one of its channels may be off by a factor."""
    scale = np.ones(64)
    scale[5] = factor
    body = f"{ENDS} {{ s = Mul (x, scale)  u = Add (s, mean)  {text} }}"
    return parsed(body, scale=scale, mean=np.full(64, mean))


def test_a_coarser_formula_for_the_same_function_is_equivalent():
    found = bnfold.verify(normed(CENTRED, mean=6.0), normed(MOMENTS, mean=6.0))
    assert found.is_equivalent, found.reason
    assert "times as coarsely as the original" in found.reason
    assert all(row.ratio < 0.1 for row in found.outputs)  # in float64 they are the same


@pytest.mark.parametrize("mean", [0.0, 4.0, 6.0])
def test_a_fault_does_not_hide_behind_a_coarser_formula(mean):
    wrong = normed(MOMENTS, mean=mean, factor=1.0 + 5e-6)
    assert bnfold.verify(normed(CENTRED, mean=mean), wrong).verdict == "different"


def test_a_formula_that_loses_most_digits_is_different():
    found = bnfold.verify(normed(CENTRED, mean=30.0), normed(MOMENTS, mean=30.0))
    assert found.verdict == "different"


def test_a_kernel_of_the_runtime_that_rounds_otherwise_than_torch_is_no_fault():
    """onnxruntime's Sigmoid is exact to an ulp of 1, that of torch to an ulp of a faint result."""
    torch = pytest.importorskip("torch")

    class Faint(torch.nn.Module):
        def forward(self, x):
            return torch.sigmoid(x - 6.0)

    text = "g (float[N,64] x) => (float[N,64] y) { d = Sub (x, c)  y = Sigmoid (d) }"
    found = bnfold.verify(Faint(), parsed(text, c=np.array(6.0)))
    assert found.is_equivalent, found.reason
    off = np.full(64, 6.0)
    off[3] += 1e-5
    assert bnfold.verify(Faint(), parsed(text, c=off)).verdict == "different"


def test_without_a_reference_a_coarser_formula_has_its_own_spread():
    found = bnfold.verify(unknown(CENTRED, mean=6.0), unknown(MOMENTS, mean=6.0))
    assert found.method.startswith("range comparison")
    assert found.is_equivalent, found.reason
    wrong = unknown(MOMENTS, mean=6.0, factor=1.001)
    assert bnfold.verify(unknown(CENTRED, mean=6.0), wrong).verdict == "different"


def unknown(text, *, mean, factor=1.0):
    """The same in front of an operator that the float64 evaluator does not know: y / 2."""
    model = normed(text, mean=mean, factor=factor)
    model.graph.node[-1].output[0] = "z"
    half = onnx.helper.make_node("QuickGelu", ["z"], ["y"], domain="com.microsoft", alpha=0.0)
    model.graph.node.append(half)
    model.opset_import.append(onnx.helper.make_opsetid("com.microsoft", 1))
    return model


@pytest.mark.parametrize("narrow", [10, 16])
def test_a_detour_through_a_narrower_type_is_no_rounding_of_the_function(narrow):
    """float64 does not see it, and behind a faint factor it is off by 7 to 10 roundings alone."""
    faint = {"w": np.random.default_rng(0).normal(size=(64, 64)), "f": np.array(1e-4 * 10)}
    plain = parsed(f"{ENDS} {{ a = MatMul (x, w)  d = Mul (a, f)  y = Add (x, d) }}", **faint)
    detour = parsed(
        f"""{ENDS} {{
            a = MatMul (x, w)  n = Cast <to = {narrow}> (a)  b = Cast <to = 1> (n)
            d = Mul (b, f)  y = Add (x, d)
        }}""",
        **faint,
    )
    assert bnfold.verify(plain, detour).verdict == "different"
