"""Neighbours of weights, bounds of integer inputs, and what the runtime does with large models."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import onnx_ir as ir
import pytest

import bnfold
from bnfold.runtime.bounds import bounds_of, integer_bounds, wide_bounds
from bnfold.runtime.signature import inputs_of
from bnfold.verify import subject
from bnfold.verify.noise import TURNS, neighbouring_weights, rounded_again
from tests.verify.graphs import parsed, two_convs


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float32, np.float64])
def test_a_weight_stays_or_goes_to_the_next_number(dtype):
    weight = np.random.default_rng(0).normal(size=(64, 64)).astype(dtype)
    weight[0] = 0
    moved = rounded_again(weight, np.random.default_rng(1), 0)
    steps = np.abs(np.float64(moved) - np.float64(weight))
    ulp = np.abs(np.float64(weight)) * float(ml_dtypes.finfo(dtype).eps)
    assert (steps <= ulp).all()
    assert not moved[0].any()
    assert np.mean(steps[1:] > 0) == pytest.approx(1 / TURNS, rel=0.2)


def test_in_twelve_copies_each_weight_has_moved_once():
    """So a channel whose error is that of one constant has a budget with every seed."""
    weight = np.random.default_rng(0).normal(size=999).astype(np.float32)
    copies = [rounded_again(weight, np.random.default_rng(1), turn) for turn in range(TURNS)]
    assert (np.sum([copy != weight for copy in copies], axis=0) == 1).all()


def test_numbers_that_are_not_finite_stay():
    weight = np.array([np.inf, -np.inf, np.nan, 3.4028235e38] * 50, np.float32)
    moved = rounded_again(weight, np.random.default_rng(0), 3)
    np.testing.assert_array_equal(np.isnan(moved), np.isnan(weight))
    np.testing.assert_array_equal(moved[np.isinf(weight)], weight[np.isinf(weight)])


def test_sizes_and_shapes_are_no_weights():
    """A Resize that is told 2.0000002 would give another shape."""
    model = parsed(
        """g (float[1,2,4,4] x) => (float[1,2,8,8] y) {
            z = Mul (x, w)  y = Resize <mode = "nearest"> (z, , scales)
        }""",
        w=np.ones((2, 1, 1), np.float32),
        scales=np.array([1, 1, 2, 2], np.float32),
    )
    assert [name for name, _ in neighbouring_weights(ir.from_proto(model), (0, 0))] == ["w"]


FREQUENCIES = (10000.0 ** -(np.arange(16) / 16)).astype(np.float32)


def test_a_table_that_is_a_constant_node_is_a_weight():
    """Steps up to 1000 times a table whose numbers were rounded once more, as it is stored."""
    text = """g (int64[N,1] t) => (float[N,5] y) {{
        f = Cast <to = 1> (t) k = Constant <value = float[16] {{{}}}> ()
        a = Mul (f, k) s = Sin (a) y = MatMul (s, w) }}"""
    w = np.random.default_rng(0).normal(size=(16, 5))
    ours, others = (
        parsed(text.format(", ".join(map(repr, table.tolist()))), w=w)
        for table in (FREQUENCIES, np.nextafter(FREQUENCIES, np.float32(1)))
    )
    assert bnfold.verify(ours, others).is_equivalent
    wrong = parsed(text.format(", ".join(map(repr, (FREQUENCIES * 1.0001).tolist()))), w=w)
    assert bnfold.verify(ours, wrong).verdict == "different"


COORDINATES = """g (float[N,16,8] x) => (float[N,16,6] y) {
    r = Range (start, stop, step)  h = Mul (r, half)  f = Floor (h)  i = Cast <to = 7> (f)
    g = Gather <axis = 1> (x, i)  m = MatMul (g, w)  y = Mul (m, s)
}"""


def nearest(factor=1.0):
    """Rows picked by Floor(i * 0.5), times a matrix of which one row may be off."""
    rng = np.random.default_rng(0)
    w = rng.normal(size=(8, 6))
    w[2] *= factor
    limits = {"start": np.float32(0), "stop": np.float32(16), "step": np.float32(1)}
    return parsed(COORDINATES, half=np.float32(0.5), w=w, s=rng.normal(size=6), **limits)


def test_a_constant_that_decides_which_row_is_read_is_no_weight():
    names = [name for name, _ in neighbouring_weights(ir.from_proto(nearest()), (0, 0))]
    assert names == ["w", "s"]


@pytest.mark.parametrize("seed", range(4))
def test_a_fault_behind_an_index_is_found_with_every_seed(seed):
    assert bnfold.verify(nearest(), nearest(1.001), seed=seed).verdict == "different"
    assert bnfold.verify(nearest(), nearest(), seed=seed).is_equivalent


def test_a_threshold_and_the_scale_before_it_are_no_weights_and_the_convolution_is_one():
    model = parsed(
        """g (float[N,3,8,8] x) => (bool[N,4,8,8] y) {
            c = Conv <pads = [1,1,1,1]> (x, w)  d = Mul (c, s)  e = Add (d, t)  y = Greater (e, z)
        }""",
        w=np.ones((4, 3, 3, 3)),
        s=np.ones((4, 1, 1)),
        t=np.ones((4, 1, 1)),
        z=np.float32(0.3),
    )
    assert [name for name, _ in neighbouring_weights(ir.from_proto(model), (0, 0))] == ["w"]


@pytest.mark.parametrize(
    ("text", "bounds"),
    [
        ("(int64[N] i) => (float[N,3] y) { y = Gather (table, i) }", (0, 6)),
        ("(int64[N] i) => (float[7,N] y) { y = Gather <axis = 1> (table, i) }", (0, 2)),
        ("(int64[N] i) => (float[N,3] y) { a = Identity (i)  y = Gather (table, a) }", (0, 6)),
        ("(int64[N,1] i) => (float[N,3] y) { y = GatherND (table, i) }", (0, 6)),
        ("(int64[N] i) => (float[N,5] y) { y = OneHot (i, depth, pair) }", (0, 4)),
        ("(uint8[N] i) => (float[N] y) { y = Cast <to = 1> (i) }", (0, 255)),
        ("(int8[N] i) => (float[N] y) { y = Cast <to = 1> (i) }", (-128, 127)),
        ("(int64[N] i) => (float[N] y) { y = Cast <to = 1> (i) }", (0, 1)),
    ],
)
def test_integers_are_bounded_by_what_they_index(text, bounds):
    model = parsed(
        f"g {text}",
        table=np.ones((7, 3), np.float32),
        depth=np.int64(5),
        pair=np.array([0, 1], np.float32),
    )
    assert integer_bounds(ir.from_proto(model), "i") == bounds


@pytest.mark.parametrize(
    ("text", "bounds"),
    [
        ("(int64[N] i) => (float[N] y) { y = Cast <to = 1> (i) }", (-1000, 1000)),
        ("(uint16[N] i) => (float[N] y) { y = Cast <to = 1> (i) }", (0, 1000)),
        ("(uint8[N] i) => (float[N] y) { y = Cast <to = 1> (i) }", (0, 255)),
        ("(int64[N] i) => (float[N,3] y) { y = Gather (table, i) }", (0, 6)),
        ("(int64[2] i) => (float[N,M] y) { y = ConstantOfShape (i) }", (0, 8)),
        ("(int64[2] i) => (float[N,M] y) { j = Add (i, i)  y = Expand (one, j) }", (0, 8)),
    ],
)
def test_integers_that_index_nothing_are_drawn_wide_and_sizes_are_not(text, bounds):
    model = ir.from_proto(parsed(f"g {text}", table=np.ones((7, 3)), one=np.ones(1)))
    specs = inputs_of(model)
    usual = bounds_of([model], specs)
    assert wide_bounds([model], specs, usual, is_signed=True)["i"] == bounds


def test_the_tightest_table_decides():
    text = """g (int64[N] i) => (float[N,3] y) {
        a = Gather (table, i)  b = Gather (small, i)  y = Add (a, b)
    }"""
    rng = np.random.default_rng(0)
    model = parsed(text, table=rng.normal(size=(7, 3)), small=rng.normal(size=(4, 3)))
    assert integer_bounds(ir.from_proto(model), "i") == (0, 3)
    assert bnfold.verify(model, model).is_equivalent


def test_inputs_that_overflow_the_original_are_left_out_and_named():
    text = "g (float16[N,4] x) => (float16[N,4] y) { z = Mul (x, c)  y = Mul (z, c) }"
    model = parsed(text, c=np.full(4, 280, np.float16))
    found = bnfold.verify(model, model)
    assert found.is_equivalent
    assert 0 < len(found.feeds) < 8
    (note,) = [note for note in found.notes if "NaN or Inf" in note]
    assert not any(repr(feed.name) in note for feed in found.feeds)


def test_models_too_large_for_one_protobuf_go_by_a_file(monkeypatch):
    monkeypatch.setattr(subject, "_IN_MEMORY_BYTES", 0)
    assert bnfold.verify(two_convs(), bnfold.fold(two_convs()).model).is_equivalent
    found = bnfold.verify(two_convs(), bnfold.fold(two_convs(factor=1.01)).model)
    assert found.location is not None
    assert found.location.sites == ("bn2",)
