"""Without a float64 reference: rewrites that round activations otherwise, and faults."""

from __future__ import annotations

import numpy as np
import onnx
import onnx.parser
import pytest

import bnfold
from tests.verify.graphs import parsed


def unknown(body, **weights):
    """The graph with an operator at its end that the float64 evaluator does not know: y / 2."""
    model = parsed(f"g (float[N,16,256] x) => (float y) {{ {body}  y = Relu (z) }}", **weights)
    model.graph.output[0].type.tensor_type.ClearField("shape")
    last = onnx.helper.make_node("QuickGelu", ["z"], ["y"], domain="com.microsoft", alpha=0.0)
    model.graph.node[-1].CopyFrom(last)
    model.opset_import.append(onnx.helper.make_opsetid("com.microsoft", 1))
    return model


RNG = np.random.default_rng(0)
A, B = RNG.normal(size=(256, 90)), RNG.normal(size=(90, 50))
LAST = np.array([-1])
PAIRS = {
    "two matrices, or their product": (
        ("a = MatMul (x, p)  z = MatMul (a, q)", {"p": A, "q": B}),
        ("z = MatMul (x, p)", {"p": A @ B}),
    ),
    "a product, or that of two halves": (
        ("z = MatMul (x, p)", {"p": A}),
        (
            "a, b = Split <axis = -1> (x, s)  c = MatMul (a, p)  d = MatMul (b, q)  z = Add (c, d)",
            {"s": np.array([100, 156]), "p": A[:100], "q": A[100:]},
        ),
    ),
    "a mean, or a product with a column": (
        ("z = ReduceMean <axes = [-1]> (x)", {}),
        ("z = MatMul (x, c)", {"c": np.full((256, 1), 1 / 256)}),
    ),
    "Softmax, or Exp over its sum": (
        ("z = Softmax (x)", {}),
        ("a = Exp (x)  b = ReduceSum (a, l)  z = Div (a, b)", {"l": LAST}),
    ),
    "a running sum, or a triangle of ones": (
        ("z = CumSum (x, l)", {"l": np.array(-1)}),
        ("z = MatMul (x, t)", {"t": np.triu(np.ones((256, 256)))}),
    ),
}


@pytest.mark.parametrize("name", PAIRS)
def test_a_correct_rewrite_is_within_the_range_of_the_original(name):
    one, other = (unknown(body, **weights) for body, weights in PAIRS[name])
    for a, b in ((one, other), (other, one)):
        found = bnfold.verify(a, b)
        assert found.method.startswith("range comparison")
        assert found.is_equivalent, found.reason


@pytest.mark.parametrize("channel", [0, 17])
def test_a_channel_that_is_off_is_beyond_the_range_of_the_original(channel):
    off = A.copy()
    off[:, channel] *= 1.001
    right = unknown("z = MatMul (x, p)", p=A)
    found = bnfold.verify(right, unknown("z = MatMul (x, p)", p=off))
    assert found.method.startswith("range comparison")
    assert found.verdict == "different"
    assert {row.worst_channel for row in found.outputs} == {channel}


def test_a_torch_module_without_a_reference_moves_its_activations_too():
    torch = pytest.importorskip("torch")

    class Single(torch.nn.Module):
        """An operator that has a kernel for float32 only, so that there is no float64 reference."""

        def forward(self, x):
            if x.dtype != torch.float32:
                raise TypeError("float32 is wanted")
            return torch.cumsum(x, -1)

    module = torch.nn.Sequential(torch.nn.Linear(256, 40), torch.nn.Identity(), Single())
    weights = {
        "w": module[0].weight.detach().numpy(),
        "b": module[0].bias.detach().numpy(),
        "t": np.triu(np.ones((40, 40))),
    }
    text = """g (float[N,256] x) => (float[N,40] y) {
        h = Gemm <transB = 1> (x, w, b)  y = MatMul (h, t)
    }"""
    found = bnfold.verify(module, parsed(text, **weights))
    assert found.method.startswith("range comparison")
    assert found.is_equivalent
    weights["t"][3, 7] = 1.01
    assert bnfold.verify(module, parsed(text, **weights)).verdict == "different"
