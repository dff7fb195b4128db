"""Inputs that are made up fit the graph; the user's own are taken as they are, or refused."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

import bnfold
from bnfold.errors import DataError, UsageError
from tests.verify.graphs import classifier, parsed, two_convs

PICTURES = "g (float[N,3,H,W] x) => (float[N,3,H,W] y) { y = Relu (x) }"


def shapes(found, name="x"):
    return [feed.shapes[name] for feed in found.feeds]


def test_the_kinds_of_inputs_are_all_there():
    found = bnfold.verify(two_convs(), two_convs())
    assert {feed.kind for feed in found.feeds} == {"normal", "impulses", "wide range", "zeros"}


def test_dynamic_dimensions_take_several_values():
    found = bnfold.verify(parsed(PICTURES), parsed(PICTURES))
    for axis in (0, 2, 3):
        assert len({shape[axis] for shape in shapes(found)}) >= 2


def test_a_dimension_can_be_pinned():
    found = bnfold.verify(parsed(PICTURES), parsed(PICTURES), dims={"H": 10, "N": 1})
    assert {(shape[0], shape[2]) for shape in shapes(found)} == {(1, 10)}


@pytest.mark.parametrize("name", ["H", "?"])
def test_a_dimension_can_be_pinned_by_its_place_also_where_it_has_a_name(name):
    model = parsed(PICTURES)
    for value in (*model.graph.input, *model.graph.output):
        for axis in (2, 3):
            value.type.tensor_type.shape.dim[axis].dim_param = f"{name}"
    found = bnfold.verify(model, model, dims={"x:2": 48, "x:3": 192})
    assert {shape[2:] for shape in shapes(found)} == {(48, 192)}


def test_a_dimension_that_is_not_there_is_refused_with_those_that_are():
    with pytest.raises(UsageError, match=r"no input has a dynamic dimension 'height'.*N, H, W"):
        bnfold.verify(parsed(PICTURES), parsed(PICTURES), dims={"height": 10})


def test_samples_bound_the_work():
    assert len(bnfold.verify(two_convs(), two_convs(), samples=3).feeds) == 3


def test_shapes_that_the_model_does_not_take_give_way_to_others():
    """The batch is dynamic in name only: the Reshape has 1 built in."""
    text = "g (float[N,4] x) => (float[1,4] y) { y = Reshape (x, s) }"
    found = bnfold.verify(parsed(text, s=[1, 4]), parsed(text, s=[1, 4]))
    assert found.is_equivalent
    assert set(shapes(found)) == {(1, 4)}


def test_a_model_that_takes_no_made_up_shape_asks_for_data():
    text = "g (float[N,M,K] x) => (float[3,601,607] y) { y = Reshape (x, s) }"
    model = parsed(text, s=[3, 601, 607])
    with pytest.raises(DataError, match="give data"):
        bnfold.verify(model, model)
    data = np.ones((3, 601, 607), np.float32)
    assert bnfold.verify(model, model, data=data).is_equivalent


def test_axes_that_a_constant_fixes_may_have_different_sizes():
    """5 x 11 rows of a matrix, and no square of them."""
    text = "g (float[N,H,W] x) => (float[N,3] y) { f = Flatten (x) y = MatMul (f, w) }"
    model = parsed(text, w=np.ones((55, 3)))
    found = bnfold.verify(model, model)
    assert found.is_equivalent
    assert {shape[1] * shape[2] for shape in shapes(found)} == {55}
    assert len({shape[0] for shape in shapes(found)}) > 1


def test_indices_stay_within_the_table_they_index():
    text = """g (int64[N,5] ids) => (float[N,5,3] y) {
        w = Cast <to = 6> (ids)  y = Gather (table, w)
    }"""
    table = np.random.default_rng(0).normal(size=(7, 3))
    found = bnfold.verify(parsed(text, table=table), parsed(text, table=table))
    assert found.is_equivalent


def data_of(found):
    return [(feed.kind, feed.seed) for feed in found.feeds]


def test_an_npz_is_fed_by_name(tmp_path):
    np.savez(tmp_path / "d.npz", x=np.ones((5, 4), np.float32))
    found = bnfold.verify(classifier(), classifier(), data=tmp_path / "d.npz")
    assert data_of(found) == [("data", None)]
    assert shapes(found) == [(5, 4)]


def test_an_npy_is_fed_to_the_only_input_in_its_precision(tmp_path):
    np.save(tmp_path / "d.npy", np.ones((5, 4)))  # float64
    assert bnfold.verify(classifier(), classifier(), data=tmp_path / "d.npy").is_equivalent


def test_long_batches_are_cut_into_pieces():
    found = bnfold.verify(classifier(), classifier(), data=np.ones((70, 4), np.float32))
    assert shapes(found) == [(32, 4), (32, 4), (6, 4)]


def test_a_static_batch_is_fed_row_by_row():
    text = "g (float[1,4] x) => (float[1,4] y) { y = Relu (x) }"
    found = bnfold.verify(parsed(text), parsed(text), data=np.ones((3, 4), np.float32))
    assert shapes(found) == [(1, 4)] * 3


def test_an_iterator_of_arrays_by_name_is_data():
    samples = ({"x": np.full((1, 4), i, np.float32)} for i in range(9))
    found = bnfold.verify(classifier(), classifier(), data=samples, samples=2)
    assert shapes(found) == [(1, 4), (1, 4)]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"x": np.ones((2, 5), np.float32)}, r"input 'x' wants shape \[N,4\], got \[2,5\]"),
        ({"x": np.ones((2, 4), np.uint8)}, "input 'x' wants float32, got uint8"),
        ({"z": np.ones((2, 4), np.float32)}, r"input 'x' \(float32\[N,4\]\) is missing.*has z"),
        ({"x": np.ones((2, 4), np.float32), "z": np.ones(1)}, "no input 'z'"),
        ([], "the data is empty"),
    ],
)
def test_data_that_does_not_fit_is_refused_with_what_is_wanted_and_got(data, words):
    with pytest.raises(DataError, match=words):
        bnfold.verify(classifier(), classifier(), data=data)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("none.npz", None, "no such file"),
        ("text.npz", b"no zip", "cannot be read"),
        ("text.npy", b"", "is empty"),
        ("data.csv", b"1,2", r"a \.npz, a \.npy, or a folder"),
    ],
)
def test_files_that_are_no_data_are_refused(tmp_path, name, content, words):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=words):
        bnfold.verify(classifier(), classifier(), data=tmp_path / name)


def test_what_is_saved_can_be_replayed(tmp_path):
    first = bnfold.verify(two_convs(), two_convs(factor=1.01), save_data=tmp_path / "saved")
    again = bnfold.verify(two_convs(), two_convs(factor=1.01), data=tmp_path / "saved")
    assert shapes(again) == shapes(first)
    assert again.worst_ratio == pytest.approx(first.worst_ratio, rel=0.3)
    saved = onnx.load_tensor(tmp_path / "saved" / "test_data_set_0" / "output_0.pb")
    assert saved.name == "y"


def test_saved_data_is_never_mixed_with_older(tmp_path):
    bnfold.verify(classifier(), classifier(), save_data=tmp_path)
    with pytest.raises(UsageError, match="has test data already"):
        bnfold.verify(classifier(), classifier(), save_data=tmp_path)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, "has no input_0.pb"),
        ({"input_0.pb": b"\xff\xff", "input_1.pb": b""}, "has 2 inputs, the model wants 1"),
        ({"input_0.pb": b"\xff\xff\xff"}, "is no ONNX tensor"),
    ],
)
def test_folders_that_are_no_test_data_are_refused(tmp_path, files, words):
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=words):
        bnfold.verify(classifier(), classifier(), data=tmp_path)


def test_decisions_of_a_classifier_are_counted_on_the_users_data():
    rows = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)
    (same,) = bnfold.verify(classifier(), classifier(), data=rows).decisions
    assert (same.samples, same.top1_agree, same.top5_agree) == (40, 40, 40)
    (moved,) = bnfold.verify(classifier(), classifier(nudge=5.0), data=rows).decisions
    assert moved.top1_agree < 40
    assert moved.largest_change == pytest.approx(5.0, abs=1e-4)
    assert 0 <= moved.smallest_margin < moved.largest_change
    assert not bnfold.verify(classifier(), classifier()).decisions
