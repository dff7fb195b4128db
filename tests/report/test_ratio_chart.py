"""The drawing of a comparison: where dots, intervals and ticks land."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bnfold.bench.quad import Quad
from bnfold.bench.rows import Comparison, Interval
from bnfold.report.ratio_chart import MARGIN, WIDTH, ratio_chart
from tests.bench_rows import comparison

RARELY_SLOW = settings(deadline=None, max_examples=40)  # a busy machine is no failure

ratios = st.lists(st.floats(0.05, 50.0), min_size=5, max_size=40)


def of_pairs(pair_ratios, *, null=(1.0,) * 5) -> Comparison:
    def quads(values):
        return tuple(Quad("ABBA", (value, 1.0, 1.0, value)) for value in values)

    def interval(values):
        ordered = sorted(values)
        return Interval(ordered[len(ordered) // 2], ordered[1], ordered[-2])

    return comparison(
        ratio=interval(pair_ratios), null=interval(null), quads=quads(pair_ratios),
        null_quads=quads(null),
    )  # fmt: skip


@RARELY_SLOW
@given(ratios)
def test_the_larger_the_ratio_the_further_right_the_dot(values):
    dots = ratio_chart(of_pairs(values)).rows[0].dots
    pairs = sorted(zip(values, (dot.x for dot in dots), strict=True))
    xs = [x for _, x in pairs]
    assert xs == sorted(xs)


@RARELY_SLOW
@given(ratios)
def test_everything_lies_on_the_paper(values):
    chart = ratio_chart(of_pairs(values))
    xs = [dot.x for row in chart.rows for dot in row.dots] + [tick.x for tick in chart.ticks]
    xs += [x for row in chart.rows for x in (row.low_x, row.estimate_x, row.high_x)]
    assert all(MARGIN <= x <= WIDTH - MARGIN for x in xs)
    assert all(0 < dot.y < chart.height for row in chart.rows for dot in row.dots)


@RARELY_SLOW
@given(ratios)
def test_one_is_always_on_the_axis_and_labels_do_not_touch(values):
    chart = ratio_chart(of_pairs(values))
    assert (chart.one_x, "1") in {(tick.x, tick.label) for tick in chart.ticks}
    xs = [tick.x for tick in chart.ticks]
    assert all(right - left >= 44 for left, right in pairwise(xs))


def test_twice_as_fast_and_half_as_fast_lie_equally_far_from_one():
    slow, *_, fast = ratio_chart(of_pairs([0.5, 0.5, 1.0, 2.0, 2.0])).rows[0].dots
    chart = ratio_chart(of_pairs([0.5, 0.5, 1.0, 2.0, 2.0]))
    assert fast.x - chart.one_x == pytest.approx(chart.one_x - slow.x, abs=0.2)


def test_a_comparison_without_samples_still_has_its_intervals():
    found = replace(of_pairs([1.2] * 5), quads=(), null_quads=())
    row = ratio_chart(found).rows[0]
    assert row.dots == ()
    assert row.low_x == row.high_x


def test_a_wild_pair_is_drawn_at_the_edge_and_marked():
    values = [1.0 + 0.01 * (i % 5) for i in range(39)] + [30.0]
    dots = ratio_chart(of_pairs(values)).rows[0].dots
    assert [dot.is_beyond for dot in dots] == [False] * 39 + [True]
    assert dots[-1].x == WIDTH - MARGIN
    assert "30.000" in dots[-1].title
