"""The distributions as a picture: one row of dots for each kind of fold, on a logarithmic axis."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

WIDTH, LEFT, RIGHT, ROW, TOP = 900, 290, 20, 24, 30
LOWEST, HIGHEST = 0.1, 1e7


def chart(
    clean: Mapping[str, Sequence[float]], faulty: Mapping[str, Sequence[float]], k: float
) -> str:
    """An SVG; ratios beyond the axis are drawn at its end."""
    rows = [*((name, values, "#2a7") for name, values in clean.items())]
    rows += [(name, values, "#c33") for name, values in faulty.items()]
    height = TOP + ROW * len(rows) + 40
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        *_axis(height),
    ]
    for index, (name, values, colour) in enumerate(rows):
        y = TOP + ROW * index + ROW // 2
        parts.append(f'<text x="{LEFT - 10}" y="{y + 4}" text-anchor="end">{name}</text>')
        parts += [
            f'<circle cx="{_x(value):.1f}" cy="{y}" r="3" fill="{colour}" fill-opacity="0.35"/>'
            for value in values
        ]
    x = _x(k)
    parts.append(
        f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 8}" y2="{height - 36}" stroke="#333" '
        'stroke-dasharray="4 3"/>'
        f'<text x="{x:.1f}" y="{TOP - 12}" text-anchor="middle">factor {k:g}</text>'
    )
    return "\n".join([*parts, "</svg>"]) + "\n"


def _axis(height: int) -> list[str]:
    bottom = height - 36
    parts = []
    for power in range(round(math.log10(LOWEST)), round(math.log10(HIGHEST)) + 1):
        x = _x(10.0**power)
        parts.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{bottom}" stroke="#ddd"/>'
            f'<text x="{x:.1f}" y="{bottom + 16}" text-anchor="middle">{10.0**power:g}</text>'
        )
    middle = (LEFT + WIDTH - RIGHT) / 2
    label = "error of the folded model, in units of the original&#8217;s own rounding error"
    parts.append(f'<text x="{middle}" y="{bottom + 32}" text-anchor="middle">{label}</text>')
    return parts


def _x(value: float) -> float:
    clipped = min(max(value, LOWEST), HIGHEST)
    part = math.log(clipped / LOWEST) / math.log(HIGHEST / LOWEST)
    return LEFT + part * (WIDTH - LEFT - RIGHT)
