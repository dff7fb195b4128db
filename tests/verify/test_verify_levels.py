"""Which optimisations two models are compared at."""

from __future__ import annotations

import numpy as np
import pytest

import bnfold
from bnfold.runtime import large
from tests.verify.graphs import parsed


@pytest.fixture
def pair(monkeypatch):
    """A model that counts as large, twice."""
    monkeypatch.setattr(large, "LARGE_BYTES", 1)
    text = "large (float[N,3,4,4] x) => (float[N,3,4,4] y) { c = Conv (x, w)  y = Relu (c) }"
    weight = np.random.default_rng(0).normal(size=(3, 3, 1, 1))
    return [parsed(text, w=weight) for _ in range(2)]


def test_a_large_model_is_compared_without_optimisations_and_that_is_told(pair):
    with pytest.warns(UserWarning, match=r"large has .* without optimisations alone"):
        found = bnfold.verify(*pair, samples=1)
    assert found.levels == ("none",)
    assert {row.level for row in found.outputs} == {"none"}


def test_what_is_asked_for_is_compared_all_the_same(pair, recwarn):
    found = bnfold.verify(*pair, samples=1, levels=["basic", "all"])
    assert {row.level for row in found.outputs} == {"basic", "all"}
    assert not recwarn
