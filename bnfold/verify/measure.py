"""The measure: a model's error in units of the original's own rounding error.

    e_b <= K * max(e_a, floor)       for each output, and for each channel of it

e_a: root mean square, over all feeds, of (original - reference) / scale, with scale the root mean
square of the reference output for that feed. It is pooled over the original and neighbours of it
whose weights are rounded once more, see `noise`. e_b: the same for the other model.

For a channel c with n samples both sides are estimates, so that the largest of C ratios exceeds 1
for a correct model too. Hence two corrections, which vanish as n grows:

    e_a[c]^2 <- (n e_a[c]^2 + PRIOR e_a^2) / (n + PRIOR)        a lucky channel has no small budget
    budget[c] = K * (1 + sqrt(2 ln(C / RISK) / n)) * max(e_a[c], floor[c])

The second is the chi-squared bound for the largest of C means of n squares. K, the floor and the
risk were chosen from measurements: `docs/verification.md`, made by `benchmarks/factor.py`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from bnfold.verify.signature import Array, is_exact_dtype

K = 4.0
"""The other model's error may be this many times the original's own."""

FLOOR_ULP = 0.5
"""No error below this many ulp of the output's scale is held against a model."""

FAINT = 2.0**-10
"""A channel fainter than this part of its output is dead: its floor is that of one so faint."""

PRIOR = 8.0
RISK = 1e-3


@dataclass
class Tally:
    """Sums of squared relative errors of one output; `samples` counts the rows of all batches."""

    squares: float = 0.0
    count: int = 0
    samples: int = 0
    by_axis: dict[int, tuple[Array, Array]] = field(default_factory=dict)
    by_feed: dict[str, float] = field(default_factory=dict)

    def add(self, feed: str, error: Array, axes: Sequence[int]) -> None:
        """Takes in the relative error of one run; NaN stands where nothing is to be compared."""
        known = ~np.isnan(error)
        square = np.square(np.where(known, error, 0.0))
        total, count = float(square.sum()), int(known.sum())
        self.squares += total
        self.count += count
        self.samples += error.shape[0] if error.ndim else 1
        if count:
            self.by_feed[feed] = max(self.by_feed.get(feed, 0.0), math.sqrt(total / count))
        for axis in axes:
            others = tuple(i for i in range(error.ndim) if i != axis)
            sums, counts = square.sum(axis=others), known.sum(axis=others)
            if axis in self.by_axis:
                sums, counts = sums + self.by_axis[axis][0], counts + self.by_axis[axis][1]
            self.by_axis[axis] = sums, counts

    def plus(self, other: Tally) -> Tally:
        """The errors of both together; of each feed the larger one."""
        by_axis = {
            axis: (sums + other.by_axis[axis][0], counts + other.by_axis[axis][1])
            if axis in other.by_axis
            else (sums, counts)
            for axis, (sums, counts) in (self.by_axis or other.by_axis).items()
        }
        if not self.by_axis:
            by_axis = dict(other.by_axis)
        feeds = {**self.by_feed, **other.by_feed}
        by_feed = {f: max(self.by_feed.get(f, 0.0), other.by_feed.get(f, 0.0)) for f in feeds}
        return Tally(
            self.squares + other.squares,
            self.count + other.count,
            self.samples + other.samples,
            by_axis,
            by_feed,
        )

    @property
    def rms(self) -> float:
        """The root mean square over everything that was compared."""
        return math.sqrt(self.squares / self.count) if self.count else 0.0

    def rms_along(self, axis: int) -> Array:
        """The root mean square of each channel; 0 for one that was never taken in."""
        if axis not in self.by_axis:
            return np.zeros(1)
        sums, counts = self.by_axis[axis]
        return np.asarray(np.sqrt(sums / np.maximum(counts, 1)))


@dataclass(frozen=True)
class Judgement:
    """How one output fares; the ratios are to be compared with `LIMIT`."""

    LIMIT: ClassVar[float] = K

    ratio: float
    channel_ratio: float | None = None
    channel_axis: int | None = None
    worst_channel: int | None = None

    @property
    def is_within(self) -> bool:
        """Whether the error is explained by rounding."""
        return max(self.ratio, self.channel_ratio or 0.0) <= self.LIMIT


def judge(original: Tally, other: Tally, magnitude: Tally, ulp: float) -> Judgement:
    """The ratios of an output.

    Args:
        original: errors of the original and its neighbours.
        other: errors of the other model.
        magnitude: the reference itself relative to its scale: how faint each channel is.
        ulp: the gap between 1 and the next number of the output's dtype.
    """
    floor = FLOOR_ULP * ulp
    ratio = other.rms / max(original.rms, floor)
    worst = Judgement(ratio)
    for axis in sorted(other.by_axis):
        ratios = _channel_ratios(original, other, magnitude, axis, floor)
        top = int(np.argmax(ratios))
        if worst.channel_ratio is None or ratios[top] > worst.channel_ratio:
            worst = Judgement(ratio, float(ratios[top]), axis, top)
    return worst


def _channel_ratios(
    original: Tally, other: Tally, magnitude: Tally, axis: int, floor: float
) -> Array:
    own, its = original.rms_along(axis), other.rms_along(axis)
    n = max(other.samples, 1)
    shrunk = np.sqrt((n * own**2 + PRIOR * original.rms**2) / (n + PRIOR))
    floors = floor * np.maximum(magnitude.rms_along(axis), FAINT)
    allowance = 1.0 + math.sqrt(2.0 * math.log(len(its) / RISK) / n)
    return np.asarray(its / (allowance * np.maximum(shrunk, floors)))


def channel_axes(shapes: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    """The axes along which an output of these shapes, one a feed, is judged channel by channel.

    Axis 1, and the last one too: [N, C, *space], [N, *space, C] and [N, T, C] are all common. An
    axis whose extent is sampled is no channel axis.
    """
    rank = len(shapes[0])
    candidates = sorted({1, rank - 1}) if rank >= 2 else []
    return tuple(a for a in candidates if len({shape[a] for shape in shapes}) == 1 and shapes[0][a])


def scale_of(reference: Array) -> float:
    """The root mean square of the finite values; 1 where all are zero."""
    finite = reference[np.isfinite(reference)]
    rms = float(np.sqrt(np.mean(np.square(finite)))) if finite.size else 0.0
    return rms or 1.0


def ulp_of(dtype: np.dtype[Any]) -> float:
    """The gap between 1 and the next number; 1 for a dtype without fractions."""
    if is_exact_dtype(dtype):
        return 1.0
    bits = (np.ones(1, dtype).view(f"i{dtype.itemsize}") + 1).view(dtype)
    return float(bits.astype(np.float64)[0] - 1.0)
