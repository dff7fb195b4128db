"""Where nothing rounds, outputs agree to the last digits or are different."""

from __future__ import annotations

import re

import numpy as np
import pytest

from bnfold.verify.in_float64 import compare_in_float64

NAN = float("nan")


def verdict(ours, theirs):
    return compare_in_float64(["y"], [[np.array(ours)]], [[np.array(theirs)]])


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [([1.0, 2.0], [1.0, 2.0 + 1e-12]), ([NAN, 1.0], [NAN, 1.0]), ([3, 4], [3, 4]), ([], [])],
    ids=["last digits", "NaN in the same place", "integers", "nothing"],
)
def test_what_agrees_is_equivalent(ours, theirs):
    assert verdict(ours, theirs)[0] == "equivalent"


@pytest.mark.parametrize(
    ("ours", "theirs", "words"),
    [
        ([1.0, 2.0], [1.0, 2.00001], "'y' is off by"),
        ([NAN, 1.0], [1.0, 1.0], "'y' is off by inf"),
        ([1.0, 1.0], [NAN, 1.0], "'y' is off by inf"),
        ([3, 4], [3, 5], "'y' is off by 0.5"),
        ([1.0, 1.0], [1.0], r"'y' has shape \[1\], \[2\] in the original"),
    ],
    ids=["rounding", "a NaN lost", "a NaN more", "integers", "shape"],
)
def test_what_does_not_is_different(ours, theirs, words):
    found, reason = verdict(ours, theirs)
    assert found == "different"
    assert re.search(words, reason)
