"""The measure: a model's error in units of the original's own rounding error.

    e_b <= K * max(e_a, floor)       for each output, and for each channel of it

e_a: root mean square, over all feeds, of (original - reference) / scale, with scale the root mean
square of the reference output for that feed. It is pooled over the original and neighbours of it
whose weights are rounded once more, see `noise`. e_b: the same for the other model. A feed on which
the original is worse than usual (a faint output, a large cancellation) would drown the others; both
errors on it are divided by how much worse than the median feed it is. Beyond `CHAOTIC` times it is
left out: there the original is a draw of lots between branches, and no error means anything.

Both sides are estimates, so with few numbers in an output, or many channels seen a few times, the
ratio exceeds 1 for a correct model too. Hence two corrections, which vanish as n grows:

    budget    <- budget * (1 + sqrt(2 ln(C / RISK) / n))
    e_a[c]^2  <- (n e_a[c]^2 + PRIOR e_a^2) / (n + PRIOR)        a lucky channel has no small budget

with C = 1 and n elements for an output; with C channels and n rows of batches for a channel. A
channel whose squared error lies in few of the feeds (a class that is likely on one input only) was
seen so much less: its n is the number of rows times how evenly the squares lie over the feeds.
A faint channel of a float32 or float64 map, of which `WELL_SEEN` numbers and more are seen, has e_a
and the floor in proportion to it: where boxes of 1000 and scores of 1e-4 share an output, the error
of the boxes is no budget for the scores.
The first is the chi-squared bound for the largest of C means of n squares. K, the floor and the
risk were chosen from measurements: `docs/verification.md`, made by `benchmarks.factor`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median_low
from typing import Any, ClassVar

import ml_dtypes
import numpy as np

from bnfold.runtime.signature import Array, is_exact_dtype
from bnfold.verify.tally import Sums, Tally

K = 2.5
"""The other model's error may be this many times the original's own."""

FLOOR_ULP = 0.5
"""No error below this many ulp of the output's scale is held against a model."""

FAINT = 2.0**-10
"""A channel fainter than this part of its output may be dead: its floor is that of one so faint."""

RESOLVED = 2.0**-6
"""A faint float32 or float64 channel whose own error is below this part of it is not dead."""

WELL_SEEN = 64.0
"""From so many numbers on, a channel's error is judged by its own alone."""

SHOWN = 2.0**-4
"""A fault of this part of a channel should show; where it does not, the channel is too faint."""

_FINE_ULP = 2.0**-20

CHAOTIC = 100.0

PRIOR = 8.0
RISK = 1e-3


@dataclass(frozen=True)
class Judgement:
    """How one output fares; the ratios are to be compared with `LIMIT`."""

    LIMIT: ClassVar[float] = K

    error_original: float
    error_other: float
    ratio: float
    channel_ratio: float | None = None
    channel_axis: int | None = None
    worst_channel: int | None = None
    faint_channels: int = 0

    @property
    def is_within(self) -> bool:
        """Whether the error is explained by rounding."""
        return max(self.ratio, self.channel_ratio or 0.0) <= self.LIMIT


def judge(
    original: Tally,
    other: Tally,
    magnitude: Tally,
    ulp: float,
    *,
    is_stepped: bool = False,
    is_one_runtime: bool = True,
) -> Judgement:
    """The ratios of an output.

    Args:
        original: errors of the original and its neighbours.
        other: errors of the other model.
        magnitude: the reference itself relative to its scale: how faint each channel is.
        ulp: the gap between 1 and the next number of the output's dtype.
        is_stepped: activations are quantised on the way: a rounding flips a whole step somewhere,
            on any set and in any channel. Sets are judged with their weights and without (one with
            a flip hides no fault on the others, nor is it left out), and the worst channel's own
            error is that of all.
        is_one_runtime: both models run in it. A kernel for Sigmoid may be exact to an ulp of 1 and
            no better, where another one is exact to an ulp of a faint result: of two runtimes no
            channel has a budget below the output's.
    """
    floor = FLOOR_ULP * ulp
    kind = _Kind(ulp, is_stepped, is_one_runtime and ulp < _FINE_ULP)
    weighed = _judged(original, other, magnitude, kind, _weights(original, floor))
    if not is_stepped:
        return weighed
    even = _judged(original, other, magnitude, kind, {})
    return max(weighed, even, key=lambda found: max(found.ratio, found.channel_ratio or 0.0))


@dataclass(frozen=True)
class _Kind:
    """What is known of an output beside its errors; `has_faint`: faint channels have budgets."""

    ulp: float
    is_stepped: bool
    has_faint: bool


def _judged(
    original: Tally, other: Tally, magnitude: Tally, kind: _Kind, weights: Mapping[str, float]
) -> Judgement:
    floor = FLOOR_ULP * kind.ulp
    own, its, level = (tally.total(weights) for tally in (original, other, magnitude))
    ratio = its.rms / (float(allowance(1, np.array(its.count))) * max(own.rms, floor))
    worst, faint = Judgement(own.rms, its.rms, ratio), 0
    for axis in sorted(its.by_axis):
        faint = max(faint, _faint_channels(own, its.rows, level, axis, kind))
        seen = its.rows * other.evenness(axis, weights)
        ratios = _channel_ratios(own, its, level, axis, seen, kind)
        top = int(np.argmax(ratios))
        if worst.channel_ratio is None or ratios[top] > worst.channel_ratio:
            worst = Judgement(own.rms, its.rms, ratio, float(ratios[top]), axis, top)
    return replace(worst, faint_channels=faint)


def chaotic_feeds(original: Tally, ulp: float) -> list[str]:
    """The feeds that say nothing, as the original's own error on them is out of all proportion."""
    return [feed for feed, weight in _weights(original, FLOOR_ULP * ulp).items() if not weight]


def _weights(original: Tally, floor: float) -> dict[str, float]:
    """1 for a feed with the usual rounding error, less for one with more, 0 for a chaotic one."""
    errors = {feed: max(sums.rms, floor) for feed, sums in original.by_feed.items()}
    usual = median_low(errors.values()) if errors else floor
    weights = {feed: min(1.0, usual / error) ** 2 for feed, error in errors.items()}
    return {feed: w if w > CHAOTIC**-2 else 0.0 for feed, w in weights.items()}


def _channel_ratios(
    own: Sums, its: Sums, level: Sums, axis: int, seen: Array, kind: _Kind
) -> Array:
    errors, numbers = its.rms_along(axis), its.numbers_along(axis)
    budgets = _budgets(own, level, axis, max(its.rows, 1), kind, numbers >= WELL_SEEN)
    return np.asarray(errors / (allowance(len(errors), seen) * budgets))


def _budgets(own: Sums, level: Sums, axis: int, n: int, kind: _Kind, is_well_seen: Array) -> Array:
    """What each channel's error is a multiple of; a faint one has its own where it is well seen."""
    floor = FLOOR_ULP * kind.ulp
    loudness, spread = level.rms_along(axis), own.rms_along(axis)
    if kind.is_stepped:  # where one flip lay, the next one need not
        spread = np.full_like(spread, spread.max(initial=0.0))
    is_well_seen = kind.has_faint & is_well_seen
    prior = own.rms * np.where(is_well_seen, np.minimum(loudness, 1.0), 1.0)
    shrunk = np.sqrt((n * spread**2 + PRIOR * prior**2) / (n + PRIOR))
    is_alive = is_well_seen & (loudness > 0) & (spread <= RESOLVED * loudness)
    floors = floor * np.where(is_alive, loudness, np.maximum(loudness, FAINT))
    if not kind.has_faint and kind.ulp < _FINE_ULP:
        floors = np.maximum(floors, own.rms)
    return np.asarray(np.maximum(shrunk, floors))


def _faint_channels(own: Sums, n: int, level: Sums, axis: int, kind: _Kind) -> int:
    """How many channels are no rounding, and so faint that a fault of `SHOWN` of them would pass.

    Such a fault lies where the channel does, and is well seen where that is.
    """
    if not kind.has_faint or axis not in own.by_axis:
        return 0
    loudness = level.rms_along(axis)
    is_well_seen = level.numbers_along(axis) >= WELL_SEEN
    budgets = _budgets(own, level, axis, n, kind, is_well_seen)
    passing = K * allowance(len(loudness), np.array(n)) * budgets > SHOWN * loudness
    is_number = (loudness > 0) & (own.rms_along(axis) <= RESOLVED * loudness)
    return int((passing & is_number).sum())


def allowance(candidates: int, n: Array) -> Array:
    """By how much the largest of some root mean squares of n numbers exceeds the true one."""
    return np.asarray(1.0 + np.sqrt(2.0 * math.log(candidates / RISK) / np.maximum(n, 1.0)))


def channel_axes(shapes: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    """The axes along which an output of these shapes, one a feed, is judged channel by channel.

    Axis 1, and the last one too: [N, C, *space], [N, *space, C] and [N, T, C] are all common. An
    axis whose extent is sampled is no channel axis.
    """
    rank = len(shapes[0])
    candidates = sorted({1, rank - 1}) if rank >= 2 else []
    return tuple(a for a in candidates if len({shape[a] for shape in shapes}) == 1 and shapes[0][a])


def scale_of(reference: Array) -> float:
    """The root mean square of the finite values; 1 where all are zero.

    Squares are taken of parts of the largest one, as those of 1e155 and 1e-200 are no float64.
    """
    finite = reference[np.isfinite(reference)]
    largest = float(np.max(np.abs(finite), initial=0.0))
    return largest * float(np.sqrt(np.mean(np.square(finite / largest)))) if largest else 1.0


def ulp_of(dtype: np.dtype[Any]) -> float:
    """The gap between 1 and the next number; 1 for a dtype without fractions."""
    if is_exact_dtype(dtype):
        return 1.0
    bits = (np.ones(1, dtype).view(f"i{dtype.itemsize}") + 1).view(dtype)
    return float(bits.astype(np.float64)[0] - 1.0)


def largest_of(dtype: np.dtype[Any]) -> float:
    """The largest number of a dtype with fractions."""
    return float(ml_dtypes.finfo(dtype).max)  # type: ignore[no-untyped-call]
