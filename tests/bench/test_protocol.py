"""Who runs when: told by a fake clock that only moves when a runner runs."""

from __future__ import annotations

import gc
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bnfold.bench import protocol
from bnfold.bench.protocol import (
    measure_pairs,
    pairs_within,
    runs_per_block,
    undisturbed_ms,
)
from bnfold.bench.statistics import judge, ratio_interval


class Machine:
    """A clock, and runners that each take their own time on it and write their name down."""

    def __init__(self) -> None:
        self.now_ns = 0
        self.log: list[str] = []

    def clock(self) -> int:
        return self.now_ns

    def runner(self, name: str, ms: float):
        def run() -> None:
            self.log.append(name)
            self.now_ns += round(ms * 1e6)

        return run


def measured(machine: Machine, *, pairs: int, seed: int = 0):
    runners = [machine.runner(name, ms) for name, ms in (("A", 1), ("a", 1), ("B", 2), ("C", 5))]
    baseline, twin, *candidates = runners
    return measure_pairs(baseline, twin, candidates, pairs=pairs, seed=seed, clock=machine.clock)


def test_every_pair_is_abba_or_baab_with_the_null_and_the_candidates_side_by_side():
    machine = Machine()
    samples = measured(machine, pairs=6)
    expected = ""
    for pair in range(6):
        for rival, quads in zip("aBC", (samples.null, *samples.candidates), strict=True):
            assert quads[pair].order in {"ABBA", "BAAB"}
            expected += quads[pair].order.replace("B", rival)
    assert samples.runs_per_block == 4
    assert "".join(machine.log[-4 * len(expected) :: 4]) == expected
    assert "".join(machine.log).endswith("".join(4 * name for name in expected))


@settings(deadline=None, max_examples=15)
@given(pairs=st.integers(5, 30), seed=st.integers(0, 2**32 - 1))
def test_half_of_the_pairs_begin_with_the_candidate_whatever_the_seed(pairs, seed):
    samples = measured(Machine(), pairs=pairs, seed=seed)
    for quads in (samples.null, *samples.candidates):
        orders = [quad.order for quad in quads]
        assert abs(orders.count("ABBA") - orders.count("BAAB")) <= 1


def test_the_order_is_drawn_by_the_seed_and_not_the_same_for_null_and_candidate():
    found = []
    for seed in (7, 7, 8):
        samples = measured(Machine(), pairs=40, seed=seed)
        rivals = (samples.null, *samples.candidates)
        found.append([[quad.order for quad in quads] for quads in rivals])
    first, again, other = found
    assert first == again
    assert first != other
    assert first[0] != first[1] != first[2]


def test_a_disturbance_in_step_with_the_blocks_makes_no_difference_between_equal_models():
    """Another program that takes the core in every second pair of blocks, all the time."""
    found = []
    for seed in range(20):
        machine = Machine()
        clock = Stepping(machine)
        same = machine.runner("A", 5.0)
        samples = measure_pairs(same, same, [same], pairs=40, seed=seed, clock=clock)
        ratio, null = (
            ratio_interval(quads, seed=seed) for quads in (samples.candidates[0], samples.null)
        )
        found.append(judge(ratio, null)[0])
    assert found.count("faster") + found.count("slower") <= 1


class Stepping:
    """A clock on which the first and the last block of each pair take twice their time."""

    def __init__(self, machine: Machine) -> None:
        self._machine, self._calls = machine, 0

    def __call__(self) -> int:
        start = self._calls % 2 == 0
        block = (self._calls // 2) % 4
        self._calls += 1
        if not start and block in (0, 3):
            self._machine.now_ns += 5_000_000
        return self._machine.now_ns


def test_every_sample_is_the_time_of_one_run():
    samples = measured(Machine(), pairs=3)
    times = {"ABBA": (1.0, 2.0, 2.0, 1.0), "BAAB": (2.0, 1.0, 1.0, 2.0)}
    assert all(quad.ms == times[quad.order] for quad in samples.candidates[0])
    assert {quad.ms for quad in samples.null} == {(1.0, 1.0, 1.0, 1.0)}


def test_one_slow_run_does_not_spoil_its_block():
    machine = Machine()
    usual = machine.runner("A", 1.0)

    def sometimes_slow() -> None:
        usual()
        machine.now_ns += 40_000_000 if len(machine.log) % 5 == 0 else 0

    quads = measure_pairs(
        usual, usual, [sometimes_slow], pairs=10, seed=0, clock=machine.clock
    ).candidates[0]
    assert {quad.ms for quad in quads} == {(1.0, 1.0, 1.0, 1.0)}


@pytest.mark.parametrize("pairs", [5, 17])
def test_the_number_of_pairs_is_what_was_asked_for_whatever_comes_out(pairs):
    samples = measured(Machine(), pairs=pairs)
    assert [len(quads) for quads in (*samples.candidates, samples.null)] == [pairs] * 3


@pytest.mark.parametrize(
    ("times_ms", "runs"),
    [
        ([0.01, 0.01], 500),
        ([1.0, 1.0], 5),
        ([1.0, 0.5], 10),
        ([80.0, 80.0], 1),
        ([10.0, 0.1], 2),
        ([0.0005, 0.0005], 4096),
    ],
)
def test_blocks_last_about_five_milliseconds_and_all_have_as_many_runs(times_ms, runs):
    assert runs_per_block(times_ms) == runs


def test_an_interrupted_run_does_not_change_the_number_of_runs():
    machine = Machine()
    usual = machine.runner("A", 1.0)

    def interrupted() -> None:
        usual()
        machine.now_ns += 40_000_000 if len(machine.log) % 2 == 0 else 0

    assert runs_per_block([undisturbed_ms(interrupted, machine.clock)]) == 5


def test_a_clock_that_stands_still_does_not_hang():
    machine = Machine()
    assert runs_per_block([undisturbed_ms(machine.runner("A", 0.0), machine.clock)]) > 1


@pytest.mark.parametrize("warm_up", [0, 3, 7])
def test_a_session_is_warmed_up_before_it_is_timed(warm_up):
    machine = Machine()
    times: list[int] = []

    def clock() -> int:
        times.append(len(machine.log))
        return machine.now_ns

    undisturbed_ms(machine.runner("A", 80.0), clock, warm_up)
    assert times[0] == warm_up


def test_as_many_pairs_are_measured_as_fit_into_the_time_by_the_calibration():
    """A pair is 4 blocks of 4 runs for each rival: 1 + 1, 1 + 2 and 1 + 5 ms, twice: 88 ms."""
    assert pairs_within(0.88, [1.0, 1.0, 2.0, 5.0], 4) == 10
    machine = Machine()
    run = machine.runner("A", 1.0)
    samples = measure_pairs(run, run, [run], seconds=0.8, seed=0, clock=machine.clock)
    assert len(samples.null) == 20  # 5 runs of 1 ms in each of 4 blocks, for two rivals: 40 ms
    assert pairs_within(0.001, [100.0, 100.0], 1) == 3


def test_the_share_of_interrupted_blocks_is_counted(monkeypatch):
    calls = count()
    # The calls: before a block, after it.
    monkeypatch.setattr(protocol, "interruptions", lambda: (next(calls) + 1) // 4)
    assert measured(Machine(), pairs=5).interrupted == 0.5
    monkeypatch.setattr(protocol, "interruptions", lambda: 7)
    assert measured(Machine(), pairs=5).interrupted == 0.0
    monkeypatch.setattr(protocol, "interruptions", lambda: None)
    assert measured(Machine(), pairs=5).interrupted is None


@pytest.mark.parametrize("was_enabled", [True, False])
def test_garbage_is_not_collected_while_blocks_run_and_is_as_before_after(was_enabled):
    machine, seen = Machine(), set()
    run = machine.runner("A", 10.0)

    def after_pair(_done: int, _total: int) -> None:
        seen.add(gc.isenabled())

    (gc.enable if was_enabled else gc.disable)()
    try:
        measure_pairs(run, run, [run], pairs=5, seed=0, clock=machine.clock, after_pair=after_pair)
        assert seen == {False}
        assert gc.isenabled() is was_enabled
    finally:
        gc.enable()
