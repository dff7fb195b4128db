"""Made-up inputs reach what a graph does: its domain, its odd sizes, its large integers."""

from __future__ import annotations

import numpy as np
import pytest

import bnfold
from bnfold.errors import UsageError
from tests.verify.graphs import parsed


def weights(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape)


@pytest.mark.parametrize(
    "first",
    ["Sqrt (x)", "Log (x)", "Pow (x, e)", "Asin (x)", "Acosh (x)", "Atanh (x)", "Reciprocal (x)"],
)
def test_a_graph_that_is_defined_on_a_part_of_the_numbers_is_compared_there(first):
    text = f"g (float[N,8] x) => (float[N,5] y) {{ q = {first}  y = MatMul (q, w) }}"
    ours, others = (parsed(text, w=weights(seed, 8, 5), e=np.float32(0.7)) for seed in (0, 1))
    assert bnfold.verify(ours, others).verdict == "different"
    found = bnfold.verify(ours, ours)
    assert found.is_equivalent
    assert len(found.feeds) >= 7


STRIDED = "g (float[N,3,H,W] x) => (float[N,8,P,Q] y) {{ y = {op} }}"


@pytest.mark.parametrize(
    ("op", "other"),
    [
        (
            "MaxPool <kernel_shape = [2, 2], strides = [2, 2], ceil_mode = 1> (x)",
            "MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (x)",
        ),
        (
            'Conv <auto_pad = "SAME_UPPER", strides = [2, 2]> (x, w)',
            "Conv <pads = [0, 0, 1, 1], strides = [2, 2]> (x, w)",
        ),
    ],
)
def test_a_difference_at_odd_sizes_is_found(op, other):
    w = weights(0, 8, 3, 3, 3)
    ours, others = (parsed(STRIDED.format(op=each), w=w) for each in (op, other))
    assert bnfold.verify(ours, others).verdict == "different"
    assert bnfold.verify(ours, ours).is_equivalent


DEEP = """c = Conv <pads = [1, 1, 1, 1], strides = [2, 2]> (x, w)
    d = MaxPool <kernel_shape = [4, 4], strides = [4, 4]> (c)"""
HALVED = 'y = Resize <mode = "linear", coordinate_transformation_mode = "{}"> ({}, , half)'


@pytest.mark.parametrize("before", ["d = Identity (x)", DEEP])
def test_modes_that_part_where_one_pixel_is_left_are_different(before):
    """With half a scale: of an extent of 2, or behind strides of 8 of 16."""
    w, half = weights(0, 8, 3, 3, 3), np.float32([1, 1, 0.5, 0.5])
    ours, others = (
        parsed(
            f"g (float[N,3,H,W] x) => (float[N,C,P,Q] y) {{ {before} {HALVED.format(mode, 'd')} }}",
            w=w,
            half=half,
        )
        for mode in ("half_pixel", "pytorch_half_pixel")
    )
    assert bnfold.verify(ours, others).verdict == "different"
    assert bnfold.verify(ours, ours).is_equivalent


def test_modes_that_only_enlarge_are_equivalent_without_a_word():
    twice = np.float32([1, 1, 2, 2])
    text = "g (float[N,3,H,W] x) => (float[N,3,P,Q] y) {{ {} }}"
    ours, others = (
        parsed(text.format(HALVED.format(mode, "x")), half=twice)
        for mode in ("half_pixel", "pytorch_half_pixel")
    )
    found = bnfold.verify(ours, others)
    assert found.is_equivalent
    assert "extent" not in found.reason


@pytest.mark.parametrize("side", [5, 14, 112])
def test_open_sizes_that_a_constant_fixes_further_in_are_found(side):
    """A Gemm behind a Flatten of maps of one size: 10, 28 or 224 pixels, or one more."""
    text = """g (float[N,3,H,W] x) => (float[N,5] y) {
        c = Conv <pads = [1, 1, 1, 1]> (x, w)
        p = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (c)
        f = Flatten <axis = 1> (p)  y = Gemm (f, v)
    }"""
    w, v = weights(0, 4, 3, 3, 3), weights(1, 4 * side * side, 5)
    other = v * [1, 1, 1.001, 1, 1]
    assert bnfold.verify(parsed(text, w=w, v=v), parsed(text, w=w, v=other)).verdict == "different"
    found = bnfold.verify(parsed(text, w=w, v=v), parsed(text, w=w, v=v))
    assert found.is_equivalent
    assert {feed.shapes["x"][2] // 2 for feed in found.feeds} == {side}


def test_every_open_extent_is_one_and_odd_and_even_somewhere():
    text = "g (float[N,3,H,W] x, float[N,T] z) => (float[N,3,H,W] y, float[N,T] u) {{ {body} }}"
    model = parsed(text.format(body="y = Relu (x)  u = Relu (z)").replace("{{", "{"))
    feeds = bnfold.verify(model, model).feeds
    for name, axes in (("x", (0, 2, 3)), ("z", (0, 1))):
        for axis in axes:
            extents = {feed.shapes[name][axis] for feed in feeds}
            assert 1 in extents
            assert {extent % 2 for extent in extents if extent > 1} == {0, 1}


BY_ROW = {
    "rows": "y = Gemm (x, w)",
    "the first four, then zeros": """h = Gemm (x, w)  s = Slice (h, zero, four, zero)
        d = Slice (h, four, all, zero)  k = Mul (d, none)  y = Concat <axis = 0> (s, k)""",
    "the first four over and over": """n = Shape <start = 0, end = 1> (x)  t = Squeeze (n)
        r = Range (at, t, step)  i = Mod (r, count)  s = Gather <axis = 0> (x, i)
        y = Gemm (s, w)""",
    "pieces of four": """h = Slice (x, zero, four, zero)  t = Slice (x, four, all, zero)
        c = Concat <axis = 0> (h, t)  y = Gemm (c, w)""",
}


def by_row(kind):
    return parsed(
        f"g (float[N,8] x) => (float[N,5] y) {{ {BY_ROW[kind]} }}", w=weights(0, 8, 5),
        zero=np.array([0]), four=np.array([4]), all=np.array([2**31]), none=np.float32(0),
        at=np.int64(0), step=np.int64(1), count=np.int64(4),
    )  # fmt: skip


@pytest.mark.parametrize("kind", list(BY_ROW)[1:])
def test_a_batch_is_larger_than_what_a_graph_takes_of_it(kind):
    is_same = kind == "pieces of four"
    assert bnfold.verify(by_row("rows"), by_row(kind)).is_equivalent == is_same


def test_a_copy_with_a_fixed_batch_is_compared_at_that_batch():
    text = "g (float[{n},4] x) => (float[{n},3] y) {{ y = MatMul (x, w) }}"
    w = weights(0, 4, 3)
    dynamic, fixed = (parsed(text.format(n=n), w=w) for n in ("N", 2))
    for pair in ((dynamic, fixed), (fixed, dynamic)):
        found = bnfold.verify(*pair)
        assert found.is_equivalent
        assert {feed.shapes["x"] for feed in found.feeds} == {(2, 4)}
    rows = weights(1, 6, 4).astype(np.float32)
    assert [f.shapes["x"] for f in bnfold.verify(dynamic, fixed, data=rows).feeds] == [(2, 4)] * 3
    with pytest.raises(UsageError, match="x:0 cannot be 3: the other model takes 2 only"):
        bnfold.verify(dynamic, fixed, dims={"N": 3})


STEP = """g (int64[N] t) => (float[N,6] y) {{
    {cast}  u = Unsqueeze (f, one)  a = Mul (u, r)  s = Sin (a)  y = MatMul (s, w)
}}"""


@pytest.mark.parametrize(
    "cast",
    [
        "b = Cast <to = 9> (t)  f = Cast <to = 1> (b)",
        "c = Clip (t, lo, hi)  f = Cast <to = 1> (c)",
        "c = Abs (t)  f = Cast <to = 1> (c)",
    ],
)
def test_integers_that_are_no_mask_are_told_apart_beyond_one(cast):
    ours, others = (
        parsed(
            STEP.format(cast=each),
            one=np.array([1]),
            r=np.exp(-np.arange(8) / 2.0)[None],
            w=weights(0, 8, 6),
            lo=np.int64(0),
            hi=np.int64(1),
        )
        for each in ("f = Cast <to = 1> (t)", cast)
    )
    assert bnfold.verify(ours, others).verdict == "different"
    assert bnfold.verify(ours, ours).is_equivalent


AT_REST = """g (float[N,8] x) => (float[N,4] y) {
    h = Gemm (x, w, b)  r = Relu (h)  y = MatMul (r, v)
}"""


def test_an_output_at_rest_is_looked_at_where_larger_numbers_wake_it():
    ours, others = (
        parsed(AT_REST, w=weights(0, 8, 16), b=np.full(16, -200.0), v=weights(seed, 16, 4))
        for seed in (1, 2)
    )
    assert bnfold.verify(ours, others).verdict == "different"
    assert bnfold.verify(ours, ours).is_equivalent


def test_an_output_that_rests_on_every_input_is_no_evidence():
    ours, others = (
        parsed(AT_REST, w=weights(0, 8, 16), b=np.full(16, -1e9), v=weights(seed, 16, 4))
        for seed in (1, 2)
    )
    found = bnfold.verify(ours, others)
    assert found.verdict == "inconclusive"
    assert "output 'y' is the same on all inputs" in found.reason


def test_an_output_that_depends_on_shapes_alone_is_compared():
    text = """g (float[N,4] x) => (float[N,4] y, int64[2] n, float[2] f) {
        y = Relu (x)  n = Shape (x)  f = Cast <to = 1> (n)
    }"""
    assert bnfold.verify(parsed(text), parsed(text)).is_equivalent


def test_outputs_that_are_always_empty_are_the_same():
    text = "g (float[N,4] x) => (float[N,0] y) { y = Slice (x, s, s, a) }"
    model = parsed(text, s=np.array([0]), a=np.array([1]))
    assert bnfold.verify(model, model).is_equivalent


@pytest.mark.slow
def test_channels_that_a_weight_fixes_are_found_beyond_sizes_that_nothing_holds():
    """All four extents are open; 640 of each would be 262 million numbers."""
    model = parsed(
        "g (float[N,C,H,W] x) => (float[A,B,D,E] y) { c = Conv(x, w) y = Relu(c) }",
        w=np.ones((4, 3, 3, 3), np.float32),
    )
    assert bnfold.verify(model, model, samples=2).is_equivalent
