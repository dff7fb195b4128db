"""Ids below 0 and beyond the table, where the original takes them."""

from __future__ import annotations

import numpy as np
import pytest

import bnfold
from tests.verify.graphs import parsed

WAYS = {
    "as they are": "y = Gather (table, i)",
    "through int32": "a = Cast <to = 6> (i)  y = Gather (table, a)",
    "counted from the end": "q = Less (i, zero)  s = Add (i, rows)  a = Where (q, s, i)"
    "  y = Gather (table, a)",
    "one-hot": "a = OneHot (i, rows, ends)  y = MatMul (a, table)",
    "without a sign": "a = Abs (i)  y = Gather (table, a)",
    "from 0 up": "a = Max (i, zero)  y = Gather (table, a)",
    "cut off": "a = Clip (i, zero, last)  y = Gather (table, a)",
    "around": "a = Mod (i, rows)  y = Gather (table, a)",
    "a row more": "y = Gather (longer, i)",
}
SAME = [
    ("as they are", "through int32"),
    ("as they are", "counted from the end"),
    ("as they are", "one-hot"),
]
PARTING = [
    ("as they are", "without a sign"),
    ("as they are", "from 0 up"),
    ("as they are", "a row more"),
    ("counted from the end", "without a sign"),
    ("without a sign", "from 0 up"),
    ("cut off", "as they are"),
    ("one-hot", "as they are"),
    ("around", "as they are"),
    ("around", "counted from the end"),
]


def model(way, **changed):
    table = np.random.default_rng(0).normal(size=(7, 3))
    stored = {
        "table": table,
        "longer": np.concatenate([table, table[:1] + 1]),
        "zero": np.array(0),
        "last": np.array(6),
        "rows": np.array(7),
        "ends": np.array([0.0, 1.0]),
    }
    text = f"g (int64[N,5] i) => (float[N,5,3] y) {{ {WAYS[way]} }}"
    used = {k: v for k, v in {**stored, **changed}.items() if f"{k}," in text or f"{k})" in text}
    return parsed(text, **used)


@pytest.mark.parametrize(("one", "other"), SAME)
def test_ways_to_a_row_that_are_one_are_equivalent(one, other):
    found = bnfold.verify(model(one), model(other))
    assert found.is_equivalent, found.reason
    assert any("below 0" in feed.name for feed in found.feeds)


@pytest.mark.parametrize(("one", "other"), PARTING)
def test_ways_that_part_outside_of_the_table_are_different(one, other):
    assert bnfold.verify(model(one), model(other)).verdict == "different"


@pytest.mark.parametrize("way", ["without a sign", "around", "from 0 up"])
def test_rows_that_are_found_by_a_computed_index_are_drawn(way):
    table = np.random.default_rng(0).normal(size=(7, 3))
    table[5] *= 1.01
    assert bnfold.verify(model(way), model(way, table=table)).verdict == "different"
