"""Who runs when: told by a fake clock that only moves when a runner runs."""

from __future__ import annotations

import gc
from itertools import groupby

import pytest

from bnfold.bench.protocol import measure_pairs, runs_per_block


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

    def blocks(self) -> list[tuple[str, int]]:
        return [(name, len(list(runs))) for name, runs in groupby(self.log)]


def measured(machine: Machine, *, pairs: int, a_ms: float = 1.0, b_ms: float = 2.0):
    baseline, twin = machine.runner("A", a_ms), machine.runner("a", a_ms)
    candidates = [machine.runner("B", b_ms), machine.runner("C", 10.0)]
    return measure_pairs(baseline, twin, candidates, pairs=pairs, clock=machine.clock)


def test_pairs_alternate_between_abba_and_baab_with_the_null_beside_them():
    machine = Machine()
    samples = measured(machine, pairs=2)
    assert samples.runs_per_block == (5, 2, 1)
    first = "aaaaa".join(["AAAAA", "", "AAAAA"]) + "AAAAABBBBAAAAA" + "AAAAACCAAAAA"
    second = "aaaaaAAAAAAAAAAaaaaa" + "BBAAAAAAAAAABB" + "CAAAAAAAAAAC"
    assert "".join(machine.log).endswith(first + second)
    assert [quad.order for quad in samples.null] == ["ABBA", "BAAB"]


def test_every_sample_is_the_time_of_one_run():
    samples = measured(Machine(), pairs=3)
    assert [quad.ms for quad in samples.candidates[0]] == [
        (1.0, 2.0, 2.0, 1.0),
        (2.0, 1.0, 1.0, 2.0),
        (1.0, 2.0, 2.0, 1.0),
    ]
    assert {quad.ms for quad in samples.null} == {(1.0, 1.0, 1.0, 1.0)}


@pytest.mark.parametrize("pairs", [5, 17])
def test_the_number_of_pairs_is_what_was_asked_for_whatever_comes_out(pairs):
    samples = measured(Machine(), pairs=pairs)
    assert [len(quads) for quads in (*samples.candidates, samples.null)] == [pairs] * 3


@pytest.mark.parametrize(("ms", "runs"), [(0.001, 5000), (0.1, 50), (1.0, 5), (4.0, 1), (80.0, 1)])
def test_a_block_lasts_about_five_milliseconds(ms, runs):
    machine = Machine()
    found = runs_per_block(machine.runner("A", ms), machine.clock)
    assert found == pytest.approx(runs, rel=0.01)


def test_a_clock_that_stands_still_does_not_hang():
    machine = Machine()
    assert runs_per_block(machine.runner("A", 0.0), machine.clock) > 1


def test_a_session_is_warmed_up_before_it_is_timed():
    machine = Machine()
    times: list[int] = []

    def clock() -> int:
        times.append(len(machine.log))
        return machine.now_ns

    runs_per_block(machine.runner("A", 80.0), clock)
    assert times[0] >= 3


@pytest.mark.parametrize("was_enabled", [True, False])
def test_garbage_is_not_collected_while_blocks_run_and_is_as_before_after(was_enabled):
    machine, seen = Machine(), set()
    run = machine.runner("A", 10.0)

    def after_pair() -> None:
        seen.add(gc.isenabled())

    (gc.enable if was_enabled else gc.disable)()
    try:
        measure_pairs(run, run, [run], pairs=5, clock=machine.clock, after_pair=after_pair)
        assert seen == {False}
        assert gc.isenabled() is was_enabled
    finally:
        gc.enable()
