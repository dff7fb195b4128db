"""Which block runs when: pairs of A B B A and B A A B in random order, the null between them.

Every pair measures each candidate against the baseline, and a second session of the baseline
against the first, back to back: what disturbs the machine disturbs all of them alike.

Which of the two orders a pair has is drawn at random, half of the pairs each. With fixed orders
the time slices of another program can fall into step with the blocks and hit one model again and
again: two sessions of one model then come out as different, with a narrow interval. A random order
flips the sign of such a disturbance at random: it widens the interval and moves nothing.
"""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median

from bnfold.bench.interruptions import interruptions
from bnfold.bench.quad import Quad

BLOCK_MS = 5.0
WARM_UP_RUNS = 3

_LONGEST_BLOCK_MS = 20.0
_CALIBRATION_RUNS = 5
_FEWEST_PAIRS, _MOST_PAIRS = 3, 1000
_MOST_RUNS = 1 << 12  # runs shorter than a microsecond are the call from Python and nothing else
_ORDERS = ("ABBA", "BAAB")

Runner = Callable[[], None]
Clock = Callable[[], int]  # nanoseconds


@dataclass(frozen=True)
class PairedSamples:
    """`candidates[i]` holds the quads of candidate i, `null` those of the baseline's twin.

    `interrupted` is the share of blocks in which another program took the core; None if not known.
    """

    candidates: tuple[tuple[Quad, ...], ...]
    null: tuple[Quad, ...]
    runs_per_block: int
    interrupted: float | None


def measure_pairs(
    baseline: Runner,
    twin: Runner,
    candidates: Sequence[Runner],
    *,
    pairs: int | None = None,
    seconds: float | None = None,
    warm_up: int = WARM_UP_RUNS,
    seed: int,
    clock: Clock = time.perf_counter_ns,
    after_pair: Callable[[int, int], None] = lambda done, total: None,
) -> PairedSamples:
    """Times `pairs` quads of each candidate and of the twin, each against the baseline.

    The number of pairs is fixed beforehand, given or as many as fit into `seconds` by what the
    calibration took: stopping when the answer pleases is no measurement. The seed decides which
    pairs begin with the candidate. `after_pair` is told how many are done, of how many.
    """
    rivals = (twin, *candidates)
    times = [undisturbed_ms(runner, clock, warm_up) for runner in (baseline, *rivals)]
    runs = runs_per_block(times)
    if pairs is None:
        pairs = pairs_within(seconds or 0.0, times, runs)
    orders = [_orders(pairs, seed + i) for i in range(len(rivals))]
    quads: list[list[Quad]] = [[] for _ in rivals]
    watch = _Watch(clock)
    with _no_garbage_collection():
        for pair in range(pairs):
            for i, rival in enumerate(rivals):
                order = orders[i][pair]
                ms = [watch.block_ms(baseline if x == "A" else rival, runs) for x in order]
                quads[i].append(Quad(order, (ms[0], ms[1], ms[2], ms[3])))
            after_pair(pair + 1, pairs)
    null, *others = (tuple(found) for found in quads)
    return PairedSamples(tuple(others), null, runs, watch.interrupted)


def runs_per_block(times: Sequence[float]) -> int:
    """The number of runs that every block has, one for all, from one run's milliseconds of each.

    The fastest runner's blocks last about `BLOCK_MS`, the slowest one's at most a few times that.
    It is one number because the first run after a change of model finds the caches full of the
    other one's data: with more runs in its blocks, a model would seem faster.
    """
    wanted = min(BLOCK_MS / min(times), _LONGEST_BLOCK_MS / max(times))
    return min(max(round(wanted), 1), _MOST_RUNS)


def pairs_within(seconds: float, times: Sequence[float], runs: int) -> int:
    """How many pairs last so long, by the times of the baseline and of its rivals."""
    baseline, *rivals = times
    pair_ms = sum(2 * runs * (baseline + rival) for rival in rivals)
    return min(max(round(seconds * 1e3 / pair_ms), _FEWEST_PAIRS), _MOST_PAIRS)


def undisturbed_ms(runner: Runner, clock: Clock, warm_up: int = WARM_UP_RUNS) -> float:
    """The shortest of a few runs, after some that warm up."""
    for _ in range(warm_up):
        runner()
    return min(_run_times_ms(runner, _CALIBRATION_RUNS, clock))


def _orders(pairs: int, seed: int) -> list[str]:
    """As many of one order as of the other, give or take one, shuffled."""
    orders = [_ORDERS[(i + seed) % 2] for i in range(pairs)]
    random.Random(seed).shuffle(orders)
    return orders


class _Watch:
    """Times blocks, and counts those in which this process had to leave the core."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._blocks = 0
        self._interrupted = 0

    def block_ms(self, runner: Runner, runs: int) -> float:
        """Milliseconds of the median run of a block: one interrupted run does not count."""
        before = interruptions()
        times = _run_times_ms(runner, runs, self._clock)
        self._blocks += 1
        self._interrupted += interruptions() != before
        return median(times)

    @property
    def interrupted(self) -> float | None:
        return None if interruptions() is None else self._interrupted / max(1, self._blocks)


def _run_times_ms(runner: Runner, runs: int, clock: Clock) -> list[float]:
    times = []
    for _ in range(runs):
        start = clock()
        runner()
        times.append(max(clock() - start, 1) / 1e6)  # a clock that stands still must not give log 0
    return times


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
