"""Inputs that declare no rank: ranks with which the original runs are found, or asked for."""

from __future__ import annotations

import numpy as np
import pytest

import bnfold
from bnfold.errors import UsageError
from tests.verify.graphs import parsed

GRAPHS = {
    "a convolution": ("y = Conv <pads = [1, 1, 1, 1]> (x, w)", (4, 3, 3, 3), {4}),
    "channels last": (
        "t = Transpose <perm = [0, 3, 1, 2]> (x)  y = Conv (t, w)",
        (4, 3, 3, 3),
        {4},
    ),
    "along sequences": ("n = Neg (x)  y = Conv (n, w)", (4, 3, 5), {3}),
    "a layer": ("y = Gemm (x, w)", (8, 4), {2}),
    "rows of rows": ("y = MatMul (x, w)", (8, 4), {2, 3, 4}),
    "any numbers": ("r = Relu (x)  y = Mul (r, w)", (1,), {0, 1, 2, 3, 4, 5}),
    "flat rows": ("f = Reshape (x, size)  y = MatMul (f, w)", (8, 4), {2, 3, 4, 5}),
}


def without_rank(body, **weights):
    model = parsed(f"g (float[N] x) => (float[N] y) {{ {body} }}", **weights)
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.ClearField("shape")
    return model


def graph(kind, factor=1.0):
    body, shape, _ = GRAPHS[kind]
    weight = np.random.default_rng(0).normal(size=shape) * factor
    return without_rank(body, w=weight, **({"size": [-1, 8]} if "size" in body else {}))


@pytest.mark.parametrize("kind", GRAPHS)
def test_ranks_with_which_the_original_runs_are_fed(kind):
    found = bnfold.verify(graph(kind), graph(kind))
    assert found.is_equivalent, found.reason
    assert {len(feed.shapes["x"]) for feed in found.feeds} >= GRAPHS[kind][2] - {0, 1}
    assert bnfold.verify(graph(kind), graph(kind, 1.01)).verdict == "different"


def test_what_is_the_same_in_one_rank_alone_is_different():
    last = without_rank("y = ReduceSum <keepdims = 0> (x, last)", last=[-1])
    second = without_rank("y = ReduceSum <keepdims = 0> (x, second)", second=[1])
    assert bnfold.verify(last, second).verdict == "different"


def test_the_other_model_may_know_the_rank():
    text = "g (float[N,8] x) => (float[N,4] y) { y = MatMul (x, w) }"
    weight = np.random.default_rng(0).normal(size=(8, 4))
    ranked = parsed(text, w=weight)
    for pair in ((graph("rows of rows"), ranked), (ranked, graph("rows of rows"))):
        found = bnfold.verify(*pair)
        assert found.is_equivalent
        assert {feed.shapes["x"][1:] for feed in found.feeds} == {(8,)}


def reshaped():
    """286 numbers, whatever the rank, of which no usual sizes are."""
    weight = np.ones((13, 2))
    return without_rank("r = Reshape (x, size)  y = MatMul (r, w)", size=[22, 13], w=weight)


@pytest.mark.slow
def test_a_rank_that_is_not_found_is_asked_for():
    with pytest.raises(UsageError, match="'x' has no rank: give data for it, or a size for each"):
        bnfold.verify(reshaped(), reshaped())


@pytest.mark.parametrize(
    "given",
    [{"dims": {"x:0": 11, "x:1": 2, "x:2": 13}}, {"data": np.ones(286, np.float32)}],
    ids=["sizes", "data"],
)
def test_a_rank_can_be_given(given):
    assert bnfold.verify(reshaped(), reshaped(), **given).is_equivalent
