"""Which block runs when: pairs of A B B A and B A A B, the null between them.

Every pair measures each candidate against the baseline, and a second session of the baseline
against the first, back to back: what disturbs the machine disturbs all of them alike. Odd pairs
start with the candidate, so that what a block finds in the caches favours neither side.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from bnfold.bench.records import Quad

BLOCK_MS = 5.0  # long enough that the clock and the call from Python do not count

_WARM_UP_RUNS = 3
_MOST_RUNS = 1 << 15  # a model that needs more for a block takes nothing but the call
_ORDERS = ("ABBA", "BAAB")

Runner = Callable[[], None]
Clock = Callable[[], int]  # nanoseconds


@dataclass(frozen=True)
class PairedSamples:
    """`candidates[i]` holds the quads of candidate i, `null` those of the baseline's twin."""

    candidates: tuple[tuple[Quad, ...], ...]
    null: tuple[Quad, ...]
    runs_per_block: tuple[int, ...]  # of the baseline, then of each candidate


def measure_pairs(
    baseline: Runner,
    twin: Runner,
    candidates: Sequence[Runner],
    *,
    pairs: int,
    clock: Clock = time.perf_counter_ns,
    after_pair: Callable[[], None] = lambda: None,
) -> PairedSamples:
    """Times `pairs` quads of each candidate and of the twin, each against the baseline.

    The number of pairs is fixed beforehand: stopping when the answer pleases is no measurement.
    """
    runs = [runs_per_block(runner, clock) for runner in (baseline, *candidates)]
    runs_per_block(twin, clock)  # warmed up like the others, but its blocks are the baseline's
    rivals = [(twin, runs[0]), *zip(candidates, runs[1:], strict=True)]
    quads: list[list[Quad]] = [[] for _ in rivals]
    with _no_garbage_collection():
        for pair in range(pairs):
            order = _ORDERS[pair % 2]
            for (rival, rival_runs), found in zip(rivals, quads, strict=True):
                blocks = {"A": (baseline, runs[0]), "B": (rival, rival_runs)}
                ms = [_block_ms(*blocks[letter], clock) for letter in order]
                found.append(Quad(order, (ms[0], ms[1], ms[2], ms[3])))
            after_pair()
    null, *others = (tuple(found) for found in quads)
    return PairedSamples(tuple(others), null, tuple(runs))


def runs_per_block(runner: Runner, clock: Clock) -> int:
    """The number of runs, at least one, that lasts about `BLOCK_MS`; warms the session up."""
    for _ in range(_WARM_UP_RUNS):
        runner()
    runs = 1
    while runs < _MOST_RUNS:
        elapsed = _block_ms(runner, runs, clock) * runs
        if elapsed >= BLOCK_MS / 2:
            return max(1, round(runs * BLOCK_MS / elapsed))
        runs *= 2
    return runs


def _block_ms(runner: Runner, runs: int, clock: Clock) -> float:
    """Milliseconds that one run takes, the mean over a block of `runs`."""
    start = clock()
    for _ in range(runs):
        runner()
    return max(clock() - start, 1) / runs / 1e6  # a clock that stands still must not give log 0


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """A collection in the middle of a block would be charged to the model that runs then."""
    was_enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
