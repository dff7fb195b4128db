"""Integers that are large enough to part from what a narrower type makes of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import bnfold
from tests.verify.graphs import parsed


def integers(body, *, fed="int64[N,8] x", given="int64 y", **constants):
    """A graph; constants named i... are int64, j... int32, and f... float32."""
    dtypes = {"i": np.int64, "j": np.int32, "f": np.float32}
    stored = {name: np.array(c, dtypes[name[0]]) for name, c in constants.items()}
    found = parsed(f"g ({fed}) => ({given}) {{ {body} }}", **stored)
    found.graph.output[0].type.tensor_type.ClearField("shape")
    return found


TWO = {"fed": "int64[N,8] x, int64[N,8] z", "given": "bool y"}
PARTING = {
    "ids through float32": (
        integers("y = Add (x, ione)", ione=[1]),
        integers("f = Cast <to = 1> (x) h = Add (f, fone) y = Cast <to = 7> (h)", fone=[1]),
    ),
    "ids through int32": (
        integers("y = Add (x, ione)", ione=[1]),
        integers("j = Cast <to = 6> (x) h = Add (j, jone) y = Cast <to = 7> (h)", jone=[1]),
    ),
    "int32 through float32": (
        integers("y = Add (x, jone)", fed="int32[N,8] x", given="int32 y", jone=[1]),
        integers(
            "f = Cast <to = 1> (x) h = Add (f, fone) y = Cast <to = 6> (h)",
            fed="int32[N,8] x",
            given="int32 y",
            fone=[1],
        ),
    ),
    "a hash": (
        integers("h = Mul (x, ik) y = Mod (h, im)", ik=[40503], im=[1009]),
        integers(
            "j = Cast <to = 6> (x) h = Mul (j, jk) m = Mod (h, jm) y = Cast <to = 7> (m)",
            jk=[40503],
            jm=[1009],
        ),
    ),
    "a sum": (
        integers("y = ReduceSum <keepdims = 0> (x, iaxis)", iaxis=[1]),
        integers(
            "f = Cast <to = 1> (x) s = ReduceSum <keepdims = 0> (f, iaxis) y = Cast <to = 7> (s)",
            iaxis=[1],
        ),
    ),
    "two ids that are one float32": (
        integers("y = Equal (x, z)", **TWO),
        integers("f = Cast <to = 1> (x) h = Cast <to = 1> (z) y = Equal (f, h)", **TWO),
    ),
    "an id and one that is the same float32": (
        integers("y = Equal (x, iid)", given="bool y", iid=[123456789]),
        integers("f = Cast <to = 1> (x) y = Equal (f, fid)", given="bool y", fid=[123456789]),
    ),
    "a difference of what was rounded": (
        integers("d = Sub (x, z) y = Cast <to = 1> (d)", fed=TWO["fed"], given="float y"),
        integers(
            "f = Cast <to = 1> (x) h = Cast <to = 1> (z) y = Sub (f, h)",
            fed=TWO["fed"],
            given="float y",
        ),
    ),
}


@pytest.mark.parametrize("kind", PARTING)
def test_a_narrower_way_of_integers_is_different(kind):
    ours, others = PARTING[kind]
    assert bnfold.verify(ours, others).verdict == "different"
    assert bnfold.verify(ours, ours).is_equivalent


def test_rows_of_a_table_are_no_larger_than_it():
    """An id that is cut to int32 before a Gather is the same id."""
    table = {"ftable": np.random.default_rng(0).normal(size=(50, 4))}
    ours = integers("y = Gather (ftable, x)", given="float y", **table)
    others = integers("j = Cast <to = 6> (x) y = Gather (ftable, j)", given="float y", **table)
    found = bnfold.verify(ours, others)
    assert found.is_equivalent
    assert "2^" not in found.reason


def test_sizes_stay_small():
    """Nobody wants a tensor of 2^34 elements."""
    shape = {"fed": "int64[1] x", "given": "float y"}
    plain = integers("y = ConstantOfShape (x)", **shape)
    cast = integers("n = Cast <to = 6> (x) i = Cast <to = 7> (n) y = ConstantOfShape (i)", **shape)
    assert bnfold.verify(plain, cast, seed=3).is_equivalent


DIFFERENT = "different"


class Times(torch.nn.Module):
    def forward(self, x):
        return x * 3 + 1


@pytest.mark.parametrize(
    ("body", "verdict"),
    [
        ("h = Mul (x, ik) y = Add (h, ione)", "equivalent"),
        (
            "f = Cast <to = 1> (x) h = Mul (f, fk) s = Add (h, fone) y = Cast <to = 7> (s)",
            "different",
        ),
        (
            "j = Cast <to = 6> (x) h = Mul (j, jk) s = Add (h, jone) y = Cast <to = 7> (s)",
            "different",
        ),
    ],
)
def test_a_narrower_way_than_that_of_a_module_is_different(body, verdict):
    constants = {"ik": [3], "jk": [3], "fk": [3], "ione": [1], "jone": [1], "fone": [1]}
    used = {name: c for name, c in constants.items() if f" {name})" in body}
    assert bnfold.verify(Times(), integers(body, **used)).verdict == verdict
