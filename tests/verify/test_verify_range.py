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
MASK = np.where(np.arange(256) % 3 == 1, -np.inf, 0.0)
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
        (
            "t = ReduceMax <axes = [-1]> (x)  d = Sub (x, t)  a = Exp (d)  b = ReduceSum (a, l)"
            "  z = Div (a, b)",
            {"l": LAST},
        ),
    ),
    "Softmax behind a mask of infinities, or Exp over its sum": (
        ("b = Add (x, m)  z = Softmax (b)", {"m": MASK}),
        (
            "b = Add (x, m)  t = ReduceMax <axes = [-1]> (b)  d = Sub (b, t)  a = Exp (d)"
            "  c = ReduceSum (a, l)  z = Div (a, c)",
            {"m": MASK, "l": LAST},
        ),
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


BEYOND = {
    "a bound": ("z = Clip (h, low, high)", "z = Clip (h, low, higher)"),
    "a sum that overflows": ("z = Softplus (h)", "e = Exp (h)  s = Add (e, one)  z = Log (s)"),
}


@pytest.mark.parametrize("kind", BEYOND)
def test_large_numbers_are_fed_where_only_one_model_has_such_a_node(kind):
    numbers = {"p": A[:, :8], "low": -90.0, "high": 90.0, "higher": 100.0, "one": 1.0}
    models = []
    for body in BEYOND[kind]:
        used = {name: np.array(n) for name, n in numbers.items() if name in f"p {body}"}
        models.append(unknown(f"h = MatMul (x, p)  {body}", **used))
    assert bnfold.verify(*models).verdict == "different"
    assert bnfold.verify(models[0], models[0]).is_equivalent


def test_sides_are_looked_for_where_the_reference_is_not_believed():
    """A runtime adds up 50,000 equal numbers one by one, further off than rounding should be."""
    text = """g (float[N,1,224,224] x) => (float[N,4] y) {
        a = Add (x, c)  p = GlobalAveragePool (a)  f = Flatten (p)  h = MatMul (f, w)
        y = Clip (h, low, high)
    }"""
    weight = np.array([[0.3, 0.5, 0.7, 0.9]])
    stored = {"w": weight, "c": np.array(0.7), "low": np.array(-50.0)}
    one, other = (parsed(text, **stored, high=np.array(high)) for high in (50.0, 60.0))
    assert bnfold.verify(one, one).doubt is not None
    assert bnfold.verify(one, other).verdict == "different"


def single(function):
    """A layer that runs in float32 only, so that there is no float64 reference."""
    torch = pytest.importorskip("torch")

    class Single(torch.nn.Module):
        def forward(self, x):
            if x.dtype != torch.float32:
                raise TypeError("float32 is wanted")
            return function(x)

    return Single()


ONES = {"t": np.triu(np.ones((40, 40))), "l": LAST}
TAILS = {
    "a running sum": (lambda x: x.cumsum(-1), "y = MatMul (h, t)"),
    "deviations": (
        lambda x: x - x.mean(-1, keepdim=True),
        "m = ReduceMean <axes = [-1]> (h)  y = Sub (h, m)",
    ),
    "Softmax": (
        lambda x: (10.0 * x).softmax(-1),
        "n = Constant <value = float {10.0}> ()  a = Mul (n, h)  b = Exp (a)"
        "  c = ReduceSum (b, l)  y = Div (b, c)",
    ),
    "a sum of squares": (
        lambda x: x / (x * x).sum(-1, keepdim=True).sqrt(),
        "a = ReduceL2 <axes = [-1]> (h)  y = Div (h, a)",
    ),
}


@pytest.mark.parametrize("tail", TAILS)
@pytest.mark.parametrize("seed", [0, 2])
def test_a_torch_module_without_a_reference_is_moved_by_what_its_sums_round(tail, seed):
    """What a function inside of `forward` adds up is a sum like that of a layer."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(seed)
    function, text = TAILS[tail]
    module = torch.nn.Sequential(torch.nn.Linear(256, 40), torch.nn.Identity(), single(function))
    weights = {name: tensor.numpy() for name, tensor in module[0].state_dict().items()}
    body = f"""g (float[N,256] x) => (float[N,40] y) {{
        h = Gemm <transB = 1> (x, weight, bias)  {text}
    }}"""
    found = bnfold.verify(module, parsed(body, **weights, **ONES))
    assert found.method.startswith("range comparison")
    assert found.is_equivalent, found.reason
    assert found.worst_ratio < 1.7
    weights["bias"] = weights["bias"] + np.float32(1e-4) * (np.arange(40) == 7)
    assert bnfold.verify(module, parsed(body, **weights, **ONES)).verdict == "different"
