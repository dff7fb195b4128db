"""One output under test: what it should be on each feed, the noise allowed, and the row it gets."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from bnfold.runtime.signature import Array, is_exact_dtype
from bnfold.verify.measure import (
    Judgement,
    channel_axes,
    chaotic_feeds,
    judge,
    largest_of,
    scale_of,
    ulp_of,
)
from bnfold.verify.non_finite import NonFinite
from bnfold.verify.open_choice import OpenChoice
from bnfold.verify.records import Doubt, OutputRow
from bnfold.verify.tally import Tally
from bnfold.verify.trust import doubt, least

Runs = Sequence[Array]
"""One array a feed."""


class OutputCase:
    """An output with its reference on each feed; errors of copies of the original are added."""

    def __init__(
        self,
        name: str,
        feeds: Sequence[str],
        references: Runs,
        original: Runs,
        *,
        is_stepped: bool = False,
        is_one_runtime: bool = True,
        ulp: float | None = None,
    ) -> None:
        """`is_stepped`: activations are quantised on the way; `is_one_runtime` runs both models.

        `ulp` is that of the type of the outputs, if it is to be another one.
        """
        self._is_stepped, self._is_one_runtime = is_stepped, is_one_runtime
        self.name = name
        self._feeds, self._references = feeds, references
        self._is_exact = is_exact_dtype(original[0].dtype)
        shapes = [array.shape for array in references]
        self._axes = () if self._is_exact else channel_axes(shapes)
        self._scales = [
            1.0 if self._is_exact else scale_of(_numbers(exact, run))
            for exact, run in zip(references, original, strict=True)
        ]
        self._ulp = ulp_of(original[0].dtype) if ulp is None or self._is_exact else ulp
        self._noise, self._magnitude, self._spread = Tally(), Tally(), Tally()
        self._in_integers = Tally()
        self._original = original
        self._choice = OpenChoice(original)
        if not self._is_exact:
            largest = largest_of(original[0].dtype)
            self._kinds = NonFinite(references, original, largest, self.least)
            for feed, array, run, scale in zip(
                feeds, references, original, self._scales, strict=True
            ):
                self._magnitude.add(feed, _numbers(array, run) / scale, self._axes)

    def add_noise(self, index: int, run: Array) -> None:
        """Takes in the run of a neighbour of the original on the feed of this index."""
        self._noise.add(self._feeds[index], self._error(index, run), self._axes)
        if self._is_exact:
            self._choice.add(index, run)
        else:
            self._kinds.add(index, run)
        self.add_spread(index, run)

    def add_kinds(self, index: int, run: Array) -> None:
        """Takes in where a neighbour has NaN or infinities; no budget hangs on it."""
        self._kinds.add(index, run)

    def add_integer_run(self, index: int, run: Array) -> None:
        """Takes in a neighbour that rounds as integer kernels do: for levels with optimisations."""
        if self._is_exact:
            self._choice.add(index, run)
        else:
            self._in_integers.add(self._feeds[index], self._error(index, run), self._axes)

    @property
    def wants_strong_copies(self) -> bool:
        """Whether copies have to show what rounding turns: decisions, or steps."""
        return self._is_exact or self._is_stepped

    @property
    def is_stepped(self) -> bool:
        """Whether activations are quantised on the way."""
        return self._is_stepped

    @property
    def is_one_runtime(self) -> bool:
        """Whether both models run in it."""
        return self._is_one_runtime

    @property
    def least(self) -> float:
        """An error that roundings explain in any network, relative to the output's scale."""
        return least(self._ulp)

    def add_spread(self, index: int, run: Array) -> None:
        """Takes in how far a neighbour is from the original; no budget hangs on it, see `trust`."""
        if not self._is_exact:
            apart = _relative(run, self._original[index], self._scales[index])
            self._spread.add(self._feeds[index], apart, self._axes)

    def doubt(self) -> Doubt | None:
        """What speaks against the reference, see `trust`."""
        if self._is_exact:
            return None
        for feed, ours, exact in zip(self._feeds, self._original, self._references, strict=True):
            # a run may overflow where the reference does not, and never the other way round
            if (np.isfinite(ours.astype(np.float64)) & ~np.isfinite(exact)).any():
                return Doubt(self.name, feed, math.inf, 0.0, times=math.inf)
        own = self._tally(self._original)
        return doubt(
            self.name, own, self._spread, self._magnitude, self._ulp, is_stepped=self._is_stepped
        )

    def chaotic_feeds(self) -> list[str]:
        """The feeds that are left out, see `measure`."""
        return [] if self._is_exact or self._is_stepped else chaotic_feeds(self._noise, self._ulp)

    def row(
        self, level: str, original: Runs, other: Runs, *, is_own_reference: bool = False
    ) -> OutputRow:
        """The verdict on this output; `is_own_reference`: the reference is `original` itself."""
        noise = self._in_integers if level != "none" and self._in_integers.by_feed else self._noise
        own = noise if is_own_reference else noise.plus(self._tally(original))
        its = self._tally(other)
        if self._is_exact:
            return self._exact_row(level, original, other, own, its)
        judged = self._judged(own, its)
        pairs = _pairs(original, other)
        apart = sum(self._kinds.unexplained(i, a, b) for i, (a, b) in enumerate(pairs))
        return OutputRow(
            level=level,
            name=self.name,
            dtype=str(original[0].dtype),
            shape=original[0].shape,
            error_original=judged.error_original,
            error_other=judged.error_other,
            ratio=judged.ratio,
            channel_ratio=judged.channel_ratio,
            channel_axis=judged.channel_axis,
            worst_channel=judged.worst_channel,
            worst_feed=its.worst_feed(),
            max_difference=max(_largest_difference(a, b) for a, b in pairs),
            mismatches=0,
            elements=sum(array.size for array in other),
            non_finite=apart,
            is_within=judged.is_within and not apart,
            remark=f"NaN or Inf differ in {apart} places" if apart else "",
            faint_channels=judged.faint_channels,
        )

    def judged_again(
        self, exact: Runs | None, other: Runs, copies: Sequence[tuple[int, Array, Array]]
    ) -> Judgement | None:
        """How the other model fares but for its own rounding, see `second_look`.

        Args:
            exact: its runs in float64, which are the same function or not; None without.
            other: its runs.
            copies: feed, a copy of it, and itself.

        Returns:
            None where its runs are not what `exact` is but for rounding.
        """
        spread = Tally()
        for index, run, plain in copies:
            apart = _relative(run, plain, self._scales[index])
            spread.add(self._feeds[index], apart, self._axes)
        if exact is None:
            return self._judged(spread, self._tally(other))
        own = Tally()
        for index, (run, reference) in enumerate(zip(other, exact, strict=True)):
            apart = _relative(run, reference, self._scales[index])
            own.add(self._feeds[index], apart, self._axes)
        if doubt(self.name, own, spread, self._magnitude, self._ulp, is_stepped=False):
            return None
        return self._judged(self._noise.plus(self._tally(self._original)), self._tally(exact))

    def _judged(self, own: Tally, its: Tally) -> Judgement:
        return judge(
            own,
            its,
            self._magnitude,
            self._ulp,
            is_stepped=self._is_stepped,
            is_one_runtime=self._is_one_runtime,
        )

    def _exact_row(
        self, level: str, original: Runs, other: Runs, own: Tally, its: Tally
    ) -> OutputRow:
        counts = [int((a != b).sum()) for a, b in _pairs(original, other)]
        apart, elements = sum(counts), sum(array.size for array in other)
        share_original, share_other = own.total().rms ** 2, its.total().rms ** 2
        closed = sum(
            self._choice.unexplained(i, a, b) for i, (a, b) in enumerate(_pairs(original, other))
        )
        return OutputRow(
            level=level,
            name=self.name,
            dtype=str(original[0].dtype),
            shape=original[0].shape,
            error_original=share_original,
            error_other=share_other,
            ratio=float(closed),
            channel_ratio=None,
            channel_axis=None,
            worst_channel=None,
            worst_feed=self._feeds[int(np.argmax(counts))],
            max_difference=float(bool(apart)),
            mismatches=apart,
            elements=elements,
            non_finite=0,
            is_within=not closed,
            remark=_exact_remark(apart, closed, elements),
            is_exact=True,
        )

    def _tally(self, runs: Runs) -> Tally:
        tally = Tally()
        for index, run in enumerate(runs):
            tally.add(self._feeds[index], self._error(index, run), self._axes)
        return tally

    def _error(self, index: int, run: Array) -> Array:
        """(run - reference) / scale, NaN where either is not finite; 0 or 1 for exact dtypes."""
        reference = self._references[index]
        if self._is_exact:
            return np.asarray(run != reference, dtype=np.float64)
        return _relative(run, reference, self._scales[index])


def _exact_remark(apart: int, closed: int, elements: int) -> str:
    if not apart:
        return ""
    return f"{apart} of {elements} differ, {closed} of them where rounding leaves nothing open"


def _relative(run: Array, reference: Array, scale: float) -> Array:
    """(run - reference) / scale; NaN where either is not finite."""
    wide, exact = run.astype(np.float64), reference.astype(np.float64)
    error = np.full(wide.shape, np.nan)
    np.subtract(wide, exact, out=error, where=np.isfinite(wide) & np.isfinite(exact))
    return error / scale


def _numbers(reference: Array, run: Array) -> Array:
    """The reference where both are numbers, else NaN: 1e300 is none in float32."""
    are = np.isfinite(reference) & np.isfinite(run.astype(np.float64))
    return np.where(are, reference, np.nan)


def _largest_difference(a: Array, b: Array) -> float:
    x, y = a.astype(np.float64), b.astype(np.float64)
    known = np.isfinite(x) & np.isfinite(y)
    return float(np.max(np.abs(x[known] - y[known]), initial=0.0))


def _pairs(original: Runs, other: Runs) -> list[tuple[Array, Array]]:
    return list(zip(original, other, strict=True))
