"""From paired samples to a ratio, an interval, and a verdict in words.

The log ratio of one quad A B B A is

    r = (log a1 + log a2 - log b1 - log b2) / 2

so a drift of the machine that is linear over the quad cancels. A process has the median of r over
its pairs. Where the sessions of a process lie in memory makes its ratio another one than the next
one's, by more than its pairs differ: so the pairs are spread over processes, the estimate is the
median over these, and the interval goes from one of their order statistics to another,

    P(x_(r) <= median <= x_(n+1-r)) = 1 - 2 P(Binomial(n, 1/2) < r)

which asks nothing of their distribution. Fewer than `FEWEST_PROCESSES` reach no 95 %; the interval
is then a bootstrap percentile interval over pairs, and tells of those processes alone.

Source: H. A. David, Order Statistics, confidence intervals of quantiles.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from bnfold.bench.quad import Quad
from bnfold.bench.rows import Interval, Verdict

CONFIDENCE = 0.95
RESOLUTION = 1.02  # two sessions of one model differ by this much from where their memory lies
MARGIN = (
    1.05  # an interval that stays within this factor of 1 means that nothing worth having changed
)

FEWEST_PROCESSES = 6
"""The lowest and highest of six enclose the median with 96.9 %, those of five with 93.8 %."""

_RESAMPLES = 4000


def log_ratios(quads: Sequence[Quad]) -> list[float]:
    """The log of baseline time / candidate time, one value per pair."""
    ratios = []
    for quad in quads:
        logs = dict.fromkeys("AB", 0.0)
        for letter, ms in zip(quad.order, quad.ms, strict=True):
            logs[letter] += math.log(ms)
        ratios.append((logs["A"] - logs["B"]) / 2)
    return ratios


def ratio_interval(quads: Sequence[Quad], *, seed: int, processes: Sequence[int] = ()) -> Interval:
    """The ratio baseline / candidate with its interval; `processes` has the pairs of each."""
    ratios = np.asarray(log_ratios(quads))
    if len(processes) >= FEWEST_PROCESSES:
        ends = np.cumsum(processes)[:-1]
        medians = sorted(float(np.median(part)) for part in np.split(ratios, ends))
        rank = order_rank(len(medians))
        found = (float(np.median(medians)), medians[rank - 1], medians[-rank])
    else:
        rng = np.random.default_rng(seed)
        picks = rng.integers(0, len(ratios), size=(_RESAMPLES, len(ratios)))
        tail = 50 * (1 - CONFIDENCE)
        low, high = np.percentile(np.median(ratios[picks], axis=1), [tail, 100 - tail])
        found = (float(np.median(ratios)), float(low), float(high))
    return Interval(*map(math.exp, found))


def order_rank(count: int) -> int:
    """The highest rank whose order statistics enclose the median with `CONFIDENCE`; at least 1."""
    below, rank = 0.0, 0
    while rank < count:
        below += math.comb(count, rank) / 2**count
        if 2 * below > 1 - CONFIDENCE:
            break
        rank += 1
    return max(rank, 1)


def judge(ratio: Interval, null: Interval) -> tuple[Verdict, str]:
    """The verdict that the interval and its null allow, and the reason behind it.

    A difference counts when the whole interval lies beyond every ratio that the model showed
    against itself, and beyond `RESOLUTION`. An interval within `MARGIN` of 1 means no difference.
    """
    if not is_null_sound(null):
        return "inconclusive", (
            f"the null failed: the baseline measured against itself gave {spread(null)}, so this "
            "run measures something other than the models; repeat it on a quieter machine"
        )
    reach = max(RESOLUTION, null.high, 1 / null.low)
    if ratio.low > reach:
        return "faster", ""
    if ratio.high < 1 / reach:
        return "slower", ""
    if ratio.low >= 1 / MARGIN and ratio.high <= MARGIN:
        return "no difference", f"the interval stays within {MARGIN - 1:.0%} of 1"
    return "inconclusive", (
        f"the interval {spread(ratio)} neither lies beyond what the baseline shows against itself "
        f"({spread(null)}), and beyond {RESOLUTION - 1:.0%}, nor stays within {MARGIN - 1:.0%} of "
        "1; use more pairs or a quieter machine"
    )


def is_null_sound(null: Interval) -> bool:
    """Whether the baseline measured against itself came out as itself."""
    return null.low <= RESOLUTION and null.high >= 1 / RESOLUTION


def sentence(verdict: Verdict, ratio: Interval) -> str:
    """The verdict as a person says it, ratios always given as the larger over the smaller."""
    if verdict == "faster":
        return f"{ratio.estimate:.2f}x faster ({spread(ratio)})"
    if verdict == "slower":
        flipped = Interval(1 / ratio.estimate, 1 / ratio.high, 1 / ratio.low)
        return f"{flipped.estimate:.2f}x slower ({spread(flipped)})"
    if verdict == "no difference":
        return f"no difference measured ({spread(ratio)})"
    return f"inconclusive ({spread(ratio)})"


def spread(interval: Interval) -> str:
    """The two ends of an interval."""
    return f"{interval.low:.2f} to {interval.high:.2f}"
