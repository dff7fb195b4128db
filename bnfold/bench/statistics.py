"""From paired samples to a ratio, an interval, and a verdict in words.

The log ratio of one quad A B B A is

    r = (log a1 + log a2 - log b1 - log b2) / 2

so a drift of the machine that is linear over the quad cancels. The estimate is the median of r over
the pairs, the interval a bootstrap percentile interval of that median over resampled pairs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from bnfold.bench.records import Interval, Quad, Verdict

CONFIDENCE = 0.95
RESOLUTION = 1.02  # two sessions of one model differ by this much from where their memory lies
MARGIN = (
    1.05  # an interval that stays within this factor of 1 means that nothing worth having changed
)

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


def ratio_interval(quads: Sequence[Quad], *, seed: int) -> Interval:
    """The ratio baseline / candidate: median over the pairs and its bootstrap interval."""
    ratios = np.asarray(log_ratios(quads))
    rng = np.random.default_rng(seed)
    picks = rng.integers(0, len(ratios), size=(_RESAMPLES, len(ratios)))
    medians = np.median(ratios[picks], axis=1)
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(medians, [tail, 100 - tail])
    return Interval(*(math.exp(float(x)) for x in (np.median(ratios), low, high)))


def judge(ratio: Interval, null: Interval) -> tuple[Verdict, str]:
    """The verdict that the interval and its null allow, and the reason behind it.

    A difference counts when the whole interval lies beyond every ratio that the model showed
    against itself, and beyond `RESOLUTION`. An interval within `MARGIN` of 1 means no difference.
    """
    if null.low > RESOLUTION or null.high < 1 / RESOLUTION:
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
        f"the interval {spread(ratio)} is too wide beside what the baseline shows against itself "
        f"({spread(null)}); use more pairs or a quieter machine"
    )


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
