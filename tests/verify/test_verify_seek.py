"""Faults that no drawn input meets, and that a search for inputs finds."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import bnfold
from tests.verify.graphs import parsed

WIDTH, CLASSES = 64, 30
RNG = np.random.default_rng(0)
WEIGHT = (RNG.normal(size=(WIDTH, CLASSES)) / WIDTH**0.5).astype(np.float32)
BIAS = RNG.normal(size=CLASSES).astype(np.float32)


def graph(body, output="int64", **stored):
    """Scores h of 30 classes, and the body behind them; all below 0 is one row in 2^30."""
    numbers = {"one": 1, "six": 6, "three": 3, "zero": 0}
    stored |= {name: np.float32(number) for name, number in numbers.items()}
    text = f"g (float[N,{WIDTH}] x) => ({output} y) {{ h = Gemm (x, w, b)  {body} }}"
    found = parsed(text, **{"w": WEIGHT, "b": BIAS, **stored})
    found.graph.output[0].type.tensor_type.ClearField("shape")
    return found


LARGEST = "y = ArgMax <axis = 1> (h)"
BRANCHES = """m = ReduceMean <axes = [1], keepdims = 0> (x)  q = Greater (m, three)
    p = Not (q)  n = ReduceMax <axes = [0], keepdims = 0> (m)  c = Less (n, three)
    y = If (c) <then_branch = t () => (float[N,30] u) { u = Identity (h) },
                else_branch = e () => (float[N,30] v) { v = Relu (h) }>"""
PARTING = {
    "a Relu before the largest": (LARGEST, "r = Relu (h)  y = ArgMax <axis = 1> (r)"),
    "a Relu before a Softmax": (
        LARGEST,
        "r = Relu (h)  s = Softmax <axis = 1> (r)  y = ArgMax <axis = 1> (s)",
    ),
    "an upper bound": (LARGEST, "r = Min (h, six)  y = ArgMax <axis = 1> (r)"),
    "the least": ("y = ArgMin <axis = 1> (h)", "r = Clip (h, , zero)  y = ArgMin <axis = 1> (r)"),
    "a window of a condition": (
        "y = Relu (h)",
        """r = Relu (h)  m = ReduceMean <axes = [1]> (x)  p = Greater (m, three)
        k = Less (m, six)  q = And (p, k)  d = Add (r, one)  y = Where (q, d, r)""",
    ),
    "a branch of the other model": ("y = Identity (h)", BRANCHES),
}


THRESHOLDS = {
    "a comparison": "q = Greater (h, k)  y = Cast <to = 1> (q)",
    "a comparison turned round": "q = Less (k, h)  y = Cast <to = 1> (q)",
    "a condition on a mean": """m = ReduceMean <axes = [1]> (x)  q = Greater (m, k)
        d = Add (h, one)  y = Where (q, d, h)""",
}


@pytest.mark.parametrize("kind", THRESHOLDS)
def test_numbers_between_two_thresholds_are_found(kind):
    """One in some ten thousand lies there."""
    ours, others = (graph(THRESHOLDS[kind], "float", k=np.float32(k)) for k in (0.3, 0.3001))
    assert bnfold.verify(ours, others).verdict == "different"
    assert bnfold.verify(others, others).is_equivalent


def test_thresholds_of_numbers_that_are_scaled_alike_are_equivalent():
    ours = graph(THRESHOLDS["a comparison"], "float", k=np.float32(0.25))
    body = THRESHOLDS["a comparison"].replace("(h, k)", "(g, k)")
    others = graph(f"g = Add (h, h)  {body}", "float", k=np.float32(0.5))
    assert bnfold.verify(ours, others).is_equivalent


HEADS = {
    "boxes that are fed": "g (float[1,6,4] b, float[1,2,6] s) => (int64 y) {",
    "boxes of a network": f"""g (float[1,40,{WIDTH}] x) => (int64 y) {{
        u = MatMul (x, boxes)  b = Sigmoid (u)  v = MatMul (x, scores)  p = Sigmoid (v)
        s = Transpose <perm = [0, 2, 1]> (p)""",
    "scores above both": """g (float[1,6,4] b, float[1,2,6] u) => (int64 y) {
        p = Sigmoid (u)  s = Add (p, o)""",
}


def detector(head, *, overlap=0.5, least=0.3, count=5):
    stored = {"m": np.array([count]), "o": np.float32([overlap]), "t": np.float32([least])}
    if "network" in head:
        stored |= {"boxes": WEIGHT[:, :4], "scores": WEIGHT[:, 4:7]}
    found = parsed(f"{HEADS[head]}  y = NonMaxSuppression (b, s, m, o, t) }}", **stored)
    found.graph.output[0].type.tensor_type.ClearField("shape")
    return found


@pytest.mark.parametrize("head", list(HEADS)[:2])
@pytest.mark.parametrize("other", [{"least": 0.31}, {"overlap": 0.6}, {"overlap": 0.505}])
def test_boxes_between_two_thresholds_are_found(head, other):
    assert bnfold.verify(detector(head), detector(head, **other)).verdict == "different"
    assert bnfold.verify(detector(head), detector(head)).is_equivalent


def test_boxes_that_nothing_brings_between_two_thresholds_are_named():
    head = "scores above both"
    found = bnfold.verify(detector(head), detector(head, least=0.31))
    assert found.is_equivalent
    assert "a box between the thresholds of NonMaxSuppression 'y' was never met" in found.reason
    assert any("a box between" in side for side in found.to_dict()["coverage"]["sides"])


@pytest.mark.parametrize("kind", PARTING)
def test_a_fault_that_no_drawn_input_meets_is_found(kind):
    output = "int64" if "Arg" in PARTING[kind][0] else "float"
    ours, others = (graph(body, output) for body in PARTING[kind])
    assert bnfold.verify(ours, others).verdict == "different"
    assert bnfold.verify(others, others).is_equivalent


def test_a_branch_with_other_weights_is_found():
    """Both have the branch, and no drawn input runs it."""
    body = BRANCHES.replace("Relu (h)", "Add (h, k)")
    ours, others = (graph(body, "float", k=np.float32(k)) for k in (1, 1.5))
    assert bnfold.verify(ours, others).verdict == "different"


def test_what_nothing_meets_is_named():
    """Softplus is nowhere below 0."""
    ours = graph("s = Softplus (h)  y = ArgMax <axis = 1> (s)")
    others = graph("s = Softplus (h)  r = Relu (s)  y = ArgMax <axis = 1> (r)")
    found = bnfold.verify(ours, others)
    assert found.is_equivalent
    assert "Relu 'r' makes all alike among which ArgMax 'y' picks" in found.reason


def test_a_module_is_told_from_a_graph_with_a_bound_before_the_largest():
    class Largest(torch.nn.Module):
        def forward(self, x):
            return (x @ torch.from_numpy(WEIGHT) + torch.from_numpy(BIAS)).argmax(1, keepdim=True)

    body = "r = Relu (h)  y = ArgMax <axis = 1> (r)"
    assert bnfold.verify(Largest(), graph(body)).verdict == "different"
    assert bnfold.verify(Largest(), graph(LARGEST)).is_equivalent


def test_a_tensor_whose_first_axis_is_two_is_no_batch():
    """What is looked for is tried on several rows at once, where there is a batch: here is none."""
    model = parsed("g (float[2,N] x) => (float[2,N] y) { y = Clip(x, low, high) }",
                   low=np.float32(-5e6), high=np.float32(5e6))  # fmt: skip
    found = bnfold.verify(model, model)
    assert found.is_equivalent
    assert "bound of Clip" in found.evidence
