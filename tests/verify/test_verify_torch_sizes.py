"""Modules that branch on sizes in Python, and exports that have one side of it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import bnfold
from tests.verify.graphs import parsed


class Scaled(torch.nn.Module):
    """A linear layer, twice as much where the batch is one of some sizes."""

    def __init__(self, is_doubled):
        super().__init__()
        torch.manual_seed(0)
        self.linear, self.is_doubled = torch.nn.Linear(8, 5), is_doubled

    def forward(self, x):
        return self.linear(x) * (2 if self.is_doubled(x.shape[0]) else 1)

    def exported(self):
        stored = {"w": self.linear.weight.detach().numpy(), "b": self.linear.bias.detach().numpy()}
        text = "g (float[N,8] x) => (float[N,5] y) { y = Gemm <transB = 1> (x, w, b) }"
        return parsed(text, **stored)


PARTING = {
    "one": lambda n: n == 1,
    "three": lambda n: n == 3,
    "five": lambda n: n == 5,
    "more than four": lambda n: n > 4,
    "more than a hundred": lambda n: n > 100,
    "eights": lambda n: n % 8 == 0,
    "one of a list": lambda n: n in (11, 13),
    "a branch in a branch": lambda n: n > 30 and n % 32 == 0,
}


@pytest.mark.parametrize("kind", PARTING)
def test_a_batch_of_which_a_module_makes_something_else_is_met(kind):
    module = Scaled(PARTING[kind])
    assert bnfold.verify(module, module.exported()).verdict == "different"


def test_what_a_module_looks_at_and_makes_nothing_of_is_equivalent():
    module = Scaled(lambda n: n > 100 and n < 50)
    found = bnfold.verify(module, module.exported())
    assert found.is_equivalent
    assert any(feed.shapes["x"][0] > 100 for feed in found.feeds)


def test_extents_of_maps_are_met_too():
    class Cut(torch.nn.Module):
        def forward(self, x):
            return x.relu() if x.shape[3] % 25 else x

    export = parsed("g (float[N,3,H,W] x) => (float[N,3,H,W] y) { y = Relu (x) }")
    assert bnfold.verify(Cut(), export).verdict == "different"
    assert bnfold.verify(torch.nn.ReLU(), export).is_equivalent


def test_a_module_with_a_batch_norm_is_followed():
    """It counts batches in an integer, which is copied before there are any symbols."""
    torch.manual_seed(0)

    class Normed(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.norm = torch.nn.BatchNorm1d(8)

        def forward(self, x):
            return self.norm(x) * (2 if x.shape[0] > 40 else 1)

    stored = {"s": np.ones(8), "b": np.zeros(8), "m": np.zeros(8), "v": np.ones(8)}
    text = "g (float[N,8] x) => (float[N,8] y) { y = BatchNormalization (x, s, b, m, v) }"
    export = parsed(text, **stored)
    assert bnfold.verify(Normed(), export).verdict == "different"


def test_a_module_that_cannot_be_followed_is_named():
    class Counted(torch.nn.Module):
        def forward(self, x):
            return x * (2 if x.detach().numpy().shape[0] > 100 else 1)

    export = parsed("g (float[N,3] x) => (float[N,3] y) { y = Identity (x) }")
    found = bnfold.verify(Counted(), export)
    assert found.is_equivalent
    assert any("branches on sizes is not known" in note for note in found.notes)


def test_the_module_keeps_no_symbols():
    class Keeping(torch.nn.Module):
        last = None

        def forward(self, x):
            before, self.last = self.last, x
            return x if before is None or before.shape != x.shape else x + 0 * before

    export = parsed("g (float[N,3] x) => (float[N,3] y) { y = Identity (x) }")
    assert bnfold.verify(Keeping(), export).is_equivalent
