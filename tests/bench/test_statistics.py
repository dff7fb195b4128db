"""From samples to verdicts: what must come out is known, because the samples are made up."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bnfold.bench.quad import Quad
from bnfold.bench.rows import Interval
from bnfold.bench.statistics import judge, log_ratios, order_rank, ratio_interval, sentence

RARELY_SLOW = settings(deadline=None, max_examples=40)  # a busy machine is no failure

NULL = Interval(1.0, 0.995, 1.005)
seeds = st.integers(0, 2**32 - 1)
ratios = st.floats(0.2, 5.0)


def noisy_quads(ratio: float, *, sigma: float, pairs: int, seed: int) -> tuple[Quad, ...]:
    """Quads of a baseline of 10 ms and a candidate `ratio` times as fast, with log-normal noise."""
    rng = np.random.default_rng(seed)
    means = {"A": 10.0, "B": 10.0 / ratio}
    quads = []
    for pair in range(pairs):
        order = ("ABBA", "BAAB")[pair % 2]
        a, b, c, d = (means[letter] * math.exp(sigma * rng.standard_normal()) for letter in order)
        quads.append(Quad(order, (a, b, c, d)))
    return tuple(quads)


@RARELY_SLOW
@given(ratio=ratios, seed=seeds)
def test_a_known_speed_up_is_recovered_through_noise(ratio, seed):
    found = ratio_interval(noisy_quads(ratio, sigma=0.02, pairs=40, seed=seed), seed=0)
    assert found.estimate == pytest.approx(ratio, rel=0.03)
    assert found.low <= found.estimate <= found.high


@RARELY_SLOW
@given(ratio=ratios, seed=seeds)
def test_the_order_of_blocks_decides_which_time_is_whose(ratio, seed):
    rng = np.random.default_rng(seed)
    a1, a2, b1, b2 = rng.uniform(1, 2, 4)
    abba, baab = Quad("ABBA", (a1, b1, b2, a2)), Quad("BAAB", (b1, a1, a2, b2))
    assert log_ratios([abba]) == pytest.approx(log_ratios([baab]), rel=1e-12)


@RARELY_SLOW
@given(ratio=ratios, drift=st.floats(-0.2, 0.2))
def test_a_steady_drift_of_the_machine_cancels(ratio, drift):
    times = [10.0, 10.0 / ratio, 10.0 / ratio, 10.0]
    a, b, c, d = (ms * math.exp(drift * i) for i, ms in enumerate(times))
    assert log_ratios([Quad("ABBA", (a, b, c, d))])[0] == pytest.approx(math.log(ratio), abs=1e-9)


@pytest.mark.slow
def test_the_interval_covers_the_truth_about_as_often_as_it_claims():
    hits = 0
    for seed in range(200):
        found = ratio_interval(noisy_quads(1.1, sigma=0.05, pairs=40, seed=seed), seed=seed)
        hits += found.low <= 1.1 <= found.high
    assert 0.88 <= hits / 200 <= 0.995


@RARELY_SLOW
@given(seed=seeds)
def test_the_same_seed_gives_the_same_interval(seed):
    quads = noisy_quads(1.2, sigma=0.05, pairs=20, seed=1)
    assert ratio_interval(quads, seed=seed) == ratio_interval(quads, seed=seed)


def test_processes_that_differ_widen_the_interval_to_what_they_tell():
    """Within a process pairs agree to 0.1 %; from one to the next the ratio differs by 5 %."""
    hits, rng = 0, np.random.default_rng(7)
    for seed in range(200):
        shifts = 0.05 * rng.standard_normal(9)
        quads = [
            quad
            for i, shift in enumerate(shifts)
            for quad in noisy_quads(math.exp(shift), sigma=1e-3, pairs=5, seed=1000 * seed + i)
        ]
        found = ratio_interval(quads, seed=seed, processes=(5,) * 9)
        hits += found.low <= 1.0 <= found.high
    assert 0.91 <= hits / 200 <= 0.995


def test_one_wild_process_moves_neither_end_of_the_interval():
    parts = [noisy_quads(1.2, sigma=0.01, pairs=5, seed=i) for i in range(8)]
    wild = noisy_quads(3.0, sigma=0.01, pairs=5, seed=9)
    quads = [quad for part in (*parts[:4], wild, *parts[4:]) for quad in part]
    found = ratio_interval(quads, seed=0, processes=(5,) * 9)
    assert found.estimate == pytest.approx(1.2, rel=0.01)
    assert found.high / found.low < 1.03


@pytest.mark.parametrize(("count", "rank"), [(5, 1), (6, 1), (8, 1), (9, 2), (11, 2), (12, 3)])
def test_the_ranks_are_those_of_the_tables_of_order_statistics(count, rank):
    """P(x_(r) <= median <= x_(n+1-r)): 0.969 for 1 of 6, 0.961 for 2 of 9 and 3 of 12."""
    assert order_rank(count) == rank


def test_one_wild_pair_moves_neither_the_estimate_nor_the_interval():
    quads = (*noisy_quads(1.2, sigma=0.01, pairs=39, seed=1), Quad("ABBA", (1e4, 1.0, 1.0, 1e4)))
    found = ratio_interval(quads, seed=0)
    assert found.estimate == pytest.approx(1.2, rel=0.01)
    assert found.high / found.low < 1.02


@pytest.mark.parametrize(
    ("ratio", "verdict"),
    [
        (Interval(1.30, 1.25, 1.35), "faster"),
        (Interval(0.77, 0.74, 0.80), "slower"),
        (Interval(1.00, 0.99, 1.01), "no difference"),
        (Interval(1.015, 1.01, 1.02), "no difference"),
        (Interval(1.05, 0.90, 1.20), "inconclusive"),
        (Interval(1.06, 1.01, 1.10), "inconclusive"),
        (Interval(0.98, 0.90, 1.01), "inconclusive"),
    ],
)
def test_the_verdict_follows_from_where_the_interval_lies(ratio, verdict):
    assert judge(ratio, NULL)[0] == verdict


@RARELY_SLOW
@given(ratio=ratios, low=st.floats(1.021, 3.0))
def test_a_null_that_does_not_hold_one_makes_every_answer_inconclusive(ratio, low):
    around = Interval(ratio, ratio * 0.99, ratio * 1.01)
    for null in (Interval(low * 1.1, low, low * 1.2), Interval(0.9 / low, 0.8 / low, 1 / low)):
        verdict, reason = judge(around, null)
        assert verdict == "inconclusive"
        assert "the null failed" in reason


def test_a_difference_that_the_baseline_shows_against_itself_does_not_count():
    ratio = Interval(1.10, 1.08, 1.12)
    assert judge(ratio, NULL)[0] == "faster"
    assert judge(ratio, Interval(1.0, 0.90, 1.01))[0] == "inconclusive"
    assert judge(ratio, Interval(1.0, 0.99, 1.09))[0] == "inconclusive"


@RARELY_SLOW
@given(ratio=ratios, width=st.floats(1.0, 1.3), reach=st.floats(1.0, 1.2))
def test_swapping_the_models_swaps_faster_and_slower_and_nothing_else(ratio, width, reach):
    null = Interval(1.0, 1 / reach, reach)
    there = judge(Interval(ratio, ratio / width, ratio * width), null)[0]
    back = judge(Interval(1 / ratio, 1 / (ratio * width), width / ratio), null)[0]
    assert back == {"faster": "slower", "slower": "faster"}.get(there, there)


@pytest.mark.parametrize(
    ("verdict", "ratio", "words"),
    [
        ("faster", Interval(1.31, 1.27, 1.35), "1.31x faster (1.27 to 1.35)"),
        ("slower", Interval(0.5, 0.4, 0.625), "2.00x slower (1.60 to 2.50)"),
        ("no difference", Interval(1.0, 0.99, 1.01), "no difference measured (0.99 to 1.01)"),
        ("inconclusive", Interval(1.1, 0.8, 1.4), "inconclusive (0.80 to 1.40)"),
    ],
)
def test_the_sentence_begins_with_the_verdict_unless_a_ratio_is_certain(verdict, ratio, words):
    assert sentence(verdict, ratio) == words
