"""The geometry of one comparison as a drawing: a dot for every pair, the interval, the null.

x = log(ratio), so that twice as fast and half as fast lie equally far from 1;
y = the order in which the pairs were measured, so that a drift shows as a slope.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bnfold.bench.quad import Quad
    from bnfold.bench.rows import Comparison, Interval

WIDTH, ROW_HEIGHT, AXIS_HEIGHT, MARGIN = 640.0, 84.0, 26.0, 16.0

_TICKS = (0.1, 0.2, 0.33, 0.5, 0.67, 0.8, 0.9, 0.95, 1.05, 1.1, 1.25, 1.5, 2, 3, 5, 8, 12, 20, 40)
_LEAST_REACH = 1.06  # the axis always shows this much on either side of 1
_TICK_DISTANCE = 44.0


@dataclass(frozen=True)
class Dot:
    """One pair; `is_beyond` where it lies off the axis and is drawn at its end."""

    x: float
    y: float
    is_beyond: bool
    title: str


@dataclass(frozen=True)
class ChartRow:
    """The pairs of the candidate, or of the baseline's twin, with their interval as x positions."""

    kind: str
    top: float
    dots: tuple[Dot, ...]
    low_x: float
    estimate_x: float
    high_x: float


@dataclass(frozen=True)
class Tick:
    """A ratio on the axis."""

    x: float
    label: str


@dataclass(frozen=True)
class Drawing:
    """Everything that the template draws; lengths are SVG units."""

    width: float
    height: float
    one_x: float
    rows: tuple[ChartRow, ...]
    ticks: tuple[Tick, ...]


def ratio_chart(comparison: Comparison) -> Drawing:
    """The drawing of a comparison."""
    from bnfold.bench.statistics import log_ratios

    parts = (
        ("candidate", comparison.quads, comparison.ratio),
        ("null", comparison.null_quads, comparison.null),
    )
    logs = {kind: log_ratios(quads) for kind, quads, _ in parts}
    ends = [math.log(end) for _, _, interval in parts for end in (interval.low, interval.high)]
    scale = _Scale.around([*ends, *(x for found in logs.values() for x in _inner(found))])
    rows = tuple(
        _row(kind, i * ROW_HEIGHT, logs[kind], quads, interval, scale)
        for i, (kind, quads, interval) in enumerate(parts)
    )
    height = len(rows) * ROW_HEIGHT + AXIS_HEIGHT
    return Drawing(WIDTH, height, scale.x(0.0), rows, _ticks(scale))


@dataclass(frozen=True)
class _Scale:
    """From log ratios to x positions."""

    low: float
    high: float

    @classmethod
    def around(cls, values: Sequence[float]) -> _Scale:
        reach = math.log(_LEAST_REACH)
        low, high = min(*values, -reach), max(*values, reach)
        pad = (high - low) * 0.03
        return cls(low - pad, high + pad)

    def x(self, value: float) -> float:
        inside = min(max(value, self.low), self.high)
        share = (inside - self.low) / (self.high - self.low)
        return round(MARGIN + share * (WIDTH - 2 * MARGIN), 1)

    def holds(self, value: float) -> bool:
        return self.low <= value <= self.high


def _inner(values: Sequence[float]) -> list[float]:
    """Without the wildest twentieth on either side, which would squeeze all others together."""
    cut = len(values) // 20
    return sorted(values)[cut : len(values) - cut]


def _row(
    kind: str,
    top: float,
    logs: Sequence[float],
    quads: Sequence[Quad],
    interval: Interval,
    scale: _Scale,
) -> ChartRow:
    step = (ROW_HEIGHT - 34) / max(1, len(logs) - 1)
    dots = tuple(
        Dot(
            scale.x(value),
            round(top + 26 + i * step, 1),
            not scale.holds(value),
            f"pair {i + 1} ({quad.order}): {math.exp(value):.3f}",
        )
        for i, (value, quad) in enumerate(zip(logs, quads, strict=True))
    )
    ends = (interval.low, interval.estimate, interval.high)
    low, estimate, high = (scale.x(math.log(end)) for end in ends)
    return ChartRow(kind, top, dots, low, estimate, high)


def _ticks(scale: _Scale) -> tuple[Tick, ...]:
    """Round ratios that lie on the axis and leave each other room; 1 comes first."""
    chosen = [Tick(scale.x(0.0), "1")]
    for ratio in sorted(_TICKS, key=lambda ratio: -abs(math.log(ratio))):
        x = scale.x(math.log(ratio))
        is_free = all(abs(x - tick.x) >= _TICK_DISTANCE for tick in chosen)
        if scale.holds(math.log(ratio)) and is_free:
            chosen.append(Tick(x, f"{ratio:g}"))
    return tuple(sorted(chosen, key=lambda tick: tick.x))
