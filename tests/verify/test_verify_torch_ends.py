"""A torch module and a graph that part where the usual inputs do not go, and pairs that do not."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

import bnfold
from tests.verify.graphs import parsed


class Doing(torch.nn.Module):
    """A function as a module."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def rms(epsilon):
    return lambda x: x * torch.rsqrt(x.square().mean(-1, keepdim=True) + epsilon)


EXP_LOG = "e = Exp (x)  s = Add (e, one)  y = Log (s)"
BY_SUM = "e = Exp (x)  s = ReduceSum (e, axis)  y = Div (e, s)"
RMS = """q = Mul (x, x)  m = ReduceMean <axes = [1]> (q)  s = Add (m, tiny)  r = Sqrt (s)
    y = Div (x, r)"""
PARTING = {
    "a sum that overflows above 88": (functional.softplus, EXP_LOG),
    "no largest number is subtracted": (lambda x: x.softmax(1), BY_SUM),
    "a bound that only the module has": (lambda x: x.clamp(-300, 300), "y = Identity (x)"),
    "a bound that only the graph has": (lambda x: x + 0, "y = Clip (x, low, high)"),
    "another bound": (lambda x: x.clamp(-600, 600), "y = Clip (x, low, high)"),
    "an upper bound alone": (lambda x: x.clamp(max=300), "y = Identity (x)"),
    "an alpha next to 0": (torch.relu, "y = ThresholdedRelu <alpha = 0.00001> (x)"),
    "a crop to ten rows": (lambda x: x[:10], "y = Identity (x)"),
    "a threshold next to 0": (lambda x: functional.threshold(x, 1e-5, 0), "y = Relu (x)"),
    "a threshold behind an offset": (
        lambda x: functional.threshold(x + 0.5, 1e-3, 0),
        "h = Add (x, half)  y = Relu (h)",
    ),
    "an epsilon that is far below the squares": (rms(1e-9), RMS),
    "an epsilon that only the module has": (
        lambda x: torch.log(x.abs() + 1e-9),
        "a = Abs (x)  y = Log (a)",
    ),
    "a Relu that only the module has": (
        lambda x: (200 - x.abs()).relu(),
        "a = Abs (x)  y = Sub (two, a)",
    ),
}
SAME = {
    "Softplus": (functional.softplus, "y = Softplus (x)"),
    "Softmax": (lambda x: x.softmax(1), "l = LogSoftmax <axis = 1> (x)  y = Exp (l)"),
    "Clip": (lambda x: x.clamp(-300, 300), "y = Clip (x, low, high)"),
    "Sigmoid": (torch.sigmoid, "n = Neg (x)  e = Exp (n)  s = Add (e, one)  y = Div (one, s)"),
    "SiLU": (functional.silu, "s = Sigmoid (x)  y = Mul (x, s)"),
    "Gelu": (
        functional.gelu,
        "d = Div (x, root)  e = Erf (d)  s = Add (e, one)  m = Mul (x, s)  y = Mul (m, half)",
    ),
    "a crop to four numbers": (
        lambda x: x[:, :4],
        "y = Slice (x, start, four, axis)",
    ),
    "Relu": (functional.relu, "y = Max (x, zero)"),
    "RMS": (rms(1e-12), RMS),
}


def graph(body):
    found = parsed(
        f"g (float[N,8] x) => (float y) {{ {body} }}", one=np.float32(1), zero=np.float32(0),
        two=np.float32(200), axis=np.array([1]), low=np.float32(-300), high=np.float32(300),
        start=np.array([0]), four=np.array([4]),
        tiny=np.float32(1e-12), root=np.float32(2**0.5), half=np.float32(0.5),
    )  # fmt: skip
    found.graph.output[0].type.tensor_type.ClearField("shape")
    return found


@pytest.mark.parametrize("kind", PARTING)
def test_a_module_and_a_graph_that_part_at_an_end_are_different(kind):
    function, body = PARTING[kind]
    assert bnfold.verify(Doing(function), graph(body)).verdict == "different"


@pytest.mark.parametrize("kind", SAME)
def test_a_module_and_a_graph_that_are_the_same_at_the_ends_are_equivalent(kind):
    function, body = SAME[kind]
    found = bnfold.verify(Doing(function), graph(body))
    assert found.is_equivalent, found.reason


def test_an_end_of_a_module_that_no_input_meets_is_named():
    found = bnfold.verify(Doing(lambda x: x.clamp(-3e30, 3e30)), graph("y = Identity (x)"))
    assert found.is_equivalent
    assert "the upper bound of call 1 of clamp was never met" in found.reason


def test_what_a_module_and_a_graph_have_alike_costs_no_further_inputs():
    found = bnfold.verify(Doing(functional.softplus), graph("y = Softplus (x)"))
    assert len(found.feeds) == 8


@pytest.mark.parametrize(
    "function",
    [torch.relu, lambda h: torch.where(h > 0, h, 0.0 * h), lambda h: h * (h > 0)],
    ids=["relu", "where", "mask"],
)
def test_a_weight_of_a_unit_of_a_module_that_wakes_rarely_is_seen(function):
    rng = np.random.default_rng(0)
    w, b = rng.normal(size=(43, 14)), rng.normal(size=14)
    b[1] = -4 * np.linalg.norm(w[:, 1])
    weight, bias = (torch.tensor(array, dtype=torch.float32) for array in (w, b))
    module = Doing(lambda x: function(x @ weight + bias))

    def other(factor):
        off = w.copy()
        off[3, 1] *= factor
        text = "g (float[N,43] x) => (float[N,14] y) { h = Gemm (x, w, b)  y = Relu (h) }"
        return parsed(text, w=off, b=b)

    assert bnfold.verify(module, other(1.02)).verdict == "different"
    assert bnfold.verify(module, other(1.0)).is_equivalent


def test_numbers_between_the_thresholds_of_a_module_and_a_graph_are_found():
    w = np.random.default_rng(0).normal(size=(8, 4)).astype(np.float32)

    def function(x):
        h = x @ torch.tensor(w)
        return torch.where(h.mean(1, keepdim=True) > 2.0, h, -1.0)

    def other(threshold):
        text = """g (float[N,8] x) => (float[N,4] y) {
            h = MatMul (x, w)  m = ReduceMean <axes = [1]> (h)  q = Greater (m, c)
            y = Where (q, h, d)
        }"""
        return parsed(text, w=w, c=np.float32(threshold), d=np.float32(-1))

    assert bnfold.verify(Doing(function), other(2.01)).verdict == "different"
    assert bnfold.verify(Doing(function), other(2.0)).is_equivalent
