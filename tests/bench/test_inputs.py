"""What models are fed when the caller says nothing, little, or something wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bnfold.bench.inputs import IMAGE_SIDE, InputSizes, make_feeds
from bnfold.bench.model_files import model_files
from bnfold.errors import DataError, ModelError, UsageError


@pytest.fixture
def feeds_of(model_file, tmp_path):
    def make(signature: str, *, batch=None, dims=None, given=None, seed=0):
        path = model_file(f"g ({signature}) => (float y) {{ y = Constant<value_float=1.0>() }}")
        (subject,) = model_files([path], tmp_path)
        return make_feeds(
            subject, given=given or {}, sizes=InputSizes(batch, dims or {}), seed=seed
        )

    return make


def test_types_and_fixed_shapes_are_the_models(feeds_of):
    feeds = feeds_of("float[2,3] a, int64[4] b, bool[1] c, float16[2] d, double e, uint8[5] f")
    found = {name: (array.dtype.name, array.shape) for name, array in feeds.arrays.items()}
    assert found == {
        "a": ("float32", (2, 3)),
        "b": ("int64", (4,)),
        "c": ("bool", (1,)),
        "d": ("float16", (2,)),
        "e": ("float64", ()),
        "f": ("uint8", (5,)),
    }
    assert feeds.notes == ()


def test_integer_inputs_are_zeros_and_ones(feeds_of):
    """They exist in every table that an integer input may index."""
    ids = feeds_of("int64[50] ids").arrays["ids"]
    assert set(ids.tolist()) == {0, 1}


def test_the_seed_decides_the_values(feeds_of):
    first, again, other = (feeds_of("float[9] x", seed=seed).arrays["x"] for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_dynamic_first_dimension_is_the_batch(feeds_of):
    feeds = feeds_of("float[N,3] x, float[?,4] z", batch=6)
    assert [array.shape for array in feeds.arrays.values()] == [(6, 3), (6, 4)]


def test_a_fixed_first_dimension_stays_and_a_note_says_so(feeds_of):
    feeds = feeds_of("float[2,3] x", batch=6)
    assert feeds.arrays["x"].shape == (2, 3)
    assert feeds.notes == ("input 'x' fixes its first dimension at 2: batch 6 does not apply",)


def test_dimensions_are_sized_by_name_and_by_place(feeds_of):
    feeds = feeds_of("float[N,L,?] x, float[L] z", dims={"L": 7, "x:2": 5})
    assert [array.shape for array in feeds.arrays.values()] == [(1, 7, 5), (7,)]


def test_an_image_that_leaves_its_size_open_gets_a_usual_one_and_a_note(feeds_of):
    feeds = feeds_of("float[N,3,H,W] x", dims={"W": 32})
    assert feeds.arrays["x"].shape == (1, 3, IMAGE_SIDE, 32)
    assert feeds.notes == ("input 'x' leaves 'H' open: 224 assumed",)


@pytest.mark.parametrize(
    ("signature", "dims", "error", "words"),
    [
        ("float[N,L] x", {}, UsageError, "input 'x' leaves dimension 'L' open"),
        ("float[N,?] x", {}, UsageError, "input 'x' leaves dimension 'x:1' open"),
        ("float[] x", {}, UsageError, "input 'x' has no rank"),
        ("string[1] x", {}, ModelError, "input 'x' is string; bench feeds"),
        ("bfloat16[1] x", {}, ModelError, "input 'x' is bfloat16; bench feeds"),
        ("uint4[2] x", {}, ModelError, "input 'x' is uint4; bench feeds"),
        ("seq(float[1]) x", {}, ModelError, r"'x' is Sequence\(Tensor\(FLOAT\)\): only tensors"),
        (
            "float[N,3] x",
            {"M": 4},
            UsageError,
            "a dynamic dimension 'M'; it has N, x:0",
        ),
        ("float[2,3] x", {"x:0": 4}, UsageError, "no input has a dynamic dimension 'x:0'"),
        ("float[N,3] x", {"N": 0}, UsageError, "dimension 'N' cannot have size 0"),
    ],
)
def test_what_cannot_be_filled_is_named(feeds_of, signature, dims, error, words):
    with pytest.raises(error, match=words):
        feeds_of(signature, dims=dims)


def test_an_input_without_a_rank_has_as_many_axes_as_are_sized(feeds_of):
    feeds = feeds_of("float[] x", dims={"x:0": 2, "x:1": 3})
    assert feeds.arrays["x"].shape == (2, 3)


def test_given_arrays_are_used_as_they_are(feeds_of):
    x = np.ones((5, 3), np.float32)
    feeds = feeds_of("float[N,3] x, float[N] z", given={"x": x}, batch=2)
    assert feeds.arrays["x"] is x
    assert feeds.arrays["z"].shape == (2,)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"q": np.ones(3, np.float32)}, "it has no input 'q'; it has 'x'"),
        ({"x": np.ones((1, 3))}, "input 'x' wants float32, got float64"),
        ({"x": np.ones((1, 4), np.float32)}, r"input 'x' wants shape \[N,3\], got \[1,4\]"),
        ({"x": np.ones(3, np.float32)}, r"input 'x' wants shape \[N,3\], got \[3\]"),
    ],
)
def test_given_arrays_that_do_not_fit_are_refused(feeds_of, given, words):
    with pytest.raises(DataError, match=words):
        feeds_of("float[N,3] x", given=given)


def test_an_initializer_that_is_listed_as_an_input_is_not_fed(model_file, tmp_path: Path):
    path = model_file("g (float[2] x, float[2] w = {1, 2}) => (float[2] y) { y = Add(x, w) }")
    (subject,) = model_files([path], tmp_path)
    assert [spec.name for spec in subject.inputs] == ["x"]


def test_a_batch_that_a_dimension_contradicts_is_refused(feeds_of):
    for dims in ({"N": 4}, {"x:0": 4}):
        with pytest.raises(UsageError, match=r"batch 2 and N = 4 contradict each other"):
            feeds_of("float[N,3] x", batch=2, dims=dims)
        assert feeds_of("float[N,3] x", dims=dims).arrays["x"].shape == (4, 3)
        assert feeds_of("float[N,3] x", batch=4, dims=dims).arrays["x"].shape == (4, 3)
