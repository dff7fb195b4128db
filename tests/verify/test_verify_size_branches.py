"""Sizes on which one of two graphs branches, and the other does not."""

from __future__ import annotations

import numpy as np
import pytest

import bnfold
from tests.verify.graphs import parsed

PLAIN = "y = MatMul (x, w)"
TAIL = "h = MatMul (x, w)  f = Where (q, wrong, right)  y = Mul (h, f)"
BRANCHES = {
    "a large batch": "s = Shape <start = 0, end = 1> (x)  q = Greater (s, twenty)",
    "one length": "s = Shape <start = 1, end = 2> (x)  q = Equal (s, twenty)",
    "multiples of a length": "s = Shape <start = 1, end = 2> (x)  r = Mod (s, twenty)"
    "  q = Equal (r, zero)",
    "many in all": "s = Shape <start = 0, end = 2> (x)  n = ReduceProd (s)"
    "  r = Cast <to = 1> (n)  q = Greater (r, many)",
}


def graph(body):
    weight = np.random.default_rng(0).normal(size=(8, 8))
    stored = {"w": weight, "twenty": [20], "zero": [0], "many": np.array([500.0])}
    stored |= {"wrong": np.array([1.01]), "right": np.array([1.0])}
    used = {
        name: array for name, array in stored.items() if f"{name}," in body or f"{name})" in body
    }
    return parsed(f"g (float[N,L,8] x) => (float[N,L,8] y) {{ {body} }}", **used)


@pytest.mark.parametrize("kind", BRANCHES)
def test_sizes_that_only_one_model_asks_for_are_fed(kind):
    plain, branched = graph(PLAIN), graph(f"{BRANCHES[kind]}  {TAIL}")
    for pair in ((plain, branched), (branched, plain)):
        assert bnfold.verify(*pair).verdict == "different"
    found = bnfold.verify(branched, branched)
    assert found.is_equivalent
    assert len(found.feeds) == len(bnfold.verify(plain, plain).feeds)


@pytest.mark.parametrize("opset", [9, 17])
@pytest.mark.parametrize("end", [512, 3000])
def test_what_lies_behind_a_far_end_that_only_one_model_cuts_at_is_fed(opset, end):
    """Up to there, a Slice hands on all there is."""
    whole = parsed("g (float[1,T] x) => (float[1,T] y) { y = Relu (x) }")
    cut = f"s = Slice <axes = [1], starts = [0], ends = [{end}]> (x)"
    stored = {}
    if opset > 9:
        cut, stored = "s = Slice (x, zero, end, one)", {"zero": [0], "end": [end], "one": [1]}
    shorter = parsed(f"g (float[1,T] x) => (float[1,T] y) {{ {cut} y = Relu (s) }}", **stored)
    for model in (whole, shorter):
        model.opset_import[0].version = opset
    for pair in ((whole, shorter), (shorter, whole)):
        assert bnfold.verify(*pair).verdict == "different"
    assert bnfold.verify(shorter, shorter).is_equivalent
