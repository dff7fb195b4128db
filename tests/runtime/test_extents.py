"""Open extents are sized by NAME or INPUT:AXIS, and the two mean the same."""

from __future__ import annotations

import numpy as np
import pytest

from bnfold.errors import UsageError
from bnfold.runtime.extents import chosen_sizes, open_extents, shape_of
from bnfold.runtime.signature import TensorSpec


def shapes(dims, **inputs):
    """The shapes of float inputs, what the caller leaves open being 9."""
    specs = [TensorSpec(name, "float32", shape) for name, shape in inputs.items()]
    sizes = chosen_sizes(open_extents(specs), dims, lambda _: 9)
    return [shape_of(spec, sizes) for spec in specs]


@pytest.mark.parametrize("key", ["N", "x:0", "z:1"])
def test_a_name_and_each_of_its_places_size_the_same_extents(key):
    assert shapes({key: 4}, x=("N", 3), z=(None, "N")) == [(4, 3), (9, 4)]


def test_a_place_without_a_name_is_sized_alone():
    assert shapes({"x:0": 4}, x=(None, None)) == [(4, 9)]


def test_a_question_mark_is_no_name():
    """Exporters write it for every extent: they have nothing to do with each other."""
    assert shapes({"x:2": 48, "x:3": 192}, x=("?", 3, "?", "?")) == [(9, 3, 48, 192)]
    with pytest.raises(UsageError, match=r"no input has a dynamic dimension '\?'; it has x:0"):
        shapes({"?": 4}, x=("?",))


def test_places_of_one_name_may_be_sized_each_for_itself():
    assert shapes({"x:0": 2, "x:1": 3}, x=("L", "L", "L")) == [(2, 3, 9)]


def test_a_place_has_the_last_word_over_its_name():
    assert shapes({"L": 5, "x:1": 3}, x=("L", "L")) == [(5, 3)]


def test_a_choice_is_made_once_for_a_name():
    asked = []
    specs = [TensorSpec("x", "float32", ("L", None)), TensorSpec("z", "float32", ("L",))]

    def choose(extent):
        asked.append(extent.label)
        return 7

    chosen_sizes(open_extents(specs), {}, choose)
    assert asked == ["L", "x:1"]


@pytest.mark.parametrize("size", [0, -3, "3", 2.0, True])
def test_a_size_that_is_no_positive_integer_is_refused(size):
    with pytest.raises(UsageError, match="dimension 'N' cannot have size"):
        shapes({"N": size}, x=("N",))


def test_a_numpy_integer_is_a_size():
    assert shapes({"N": np.int64(3)}, x=("N",)) == [(3,)]


def test_an_unknown_key_is_answered_with_those_that_there_are():
    with pytest.raises(UsageError, match="dimension 'M'; it has N, x:0, z:0"):
        shapes({"M": 3}, x=("N",), z=(None,))
