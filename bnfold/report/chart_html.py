"""A comparison's pairs as SVG."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from bnfold.report.markup import Attributes, Markup, tag
from bnfold.report.ratio_chart import ChartRow, Dot, Drawing, ratio_chart

if TYPE_CHECKING:
    from bnfold.bench.rows import Comparison

LEGEND = (
    "time of the baseline over time of the candidate, one dot a pair in the order measured; "
    "right of 1 is faster"
)
_LONGEST = 28  # characters of a name that fit in large letters


def chart_html(comparison: Comparison) -> Markup:
    """A dot for every pair, the interval, and the baseline against itself below."""
    svg = chart_svg(comparison, ratio_chart(comparison), {})
    return tag("figure", {}, svg, tag("figcaption", {}, f"{setting_of(comparison)}: {LEGEND}."))


def chart_svg(comparison: Comparison, drawing: Drawing, place: Attributes) -> Markup:
    """The drawing of the comparison as an element that may stand in a page or in another one."""
    count, pair = len(comparison.quads), pair_of(comparison)
    attributes: Attributes = {
        "viewBox": f"0 0 {drawing.width:g} {drawing.height:g}",
        "role": "img",
        "aria-label": f"{comparison.sentence}: {count} pairs of {pair}",
        **place,
    }
    return tag("svg", attributes, _drawn(drawing, comparison))


def pair_of(comparison: Comparison) -> str:
    """The two models."""
    return f"{comparison.candidate} against {comparison.baseline}"


def setting_of(comparison: Comparison) -> str:
    """The two models, and what they were timed on."""
    row = comparison
    return f"{pair_of(row)}, {row.provider}, optimisations {row.level}"


def subject_of(part: ChartRow, comparison: Comparison) -> str:
    """What the dots of a row are of, in as few letters as there is room for."""
    is_candidate = part.kind == "candidate"
    return _short(comparison.candidate) if is_candidate else "the baseline against itself"


def _drawn(drawing: Drawing, row: Comparison) -> Iterator[Markup]:
    for part in drawing.rows:
        yield from _part(part, drawing, row)
    bottom = drawing.height - 20
    yield _line("axis", 0, drawing.width, bottom, bottom)
    for tick in drawing.ticks:
        yield _line("axis", tick.x, tick.x, bottom, bottom + 5)
        place: Attributes = {"x": tick.x, "y": drawing.height - 2, "text-anchor": "middle"}
        yield tag("text", place, tick.label)


def _part(part: ChartRow, drawing: Drawing, row: Comparison) -> Iterator[Markup]:
    yield tag("text", {"x": 0, "y": part.top + 15}, subject_of(part, row))
    width = round(max(part.high_x - part.low_x, 1), 1)
    top, end, kind = part.top + 20, part.top + 80, part.kind
    box: Attributes = {"x": part.low_x, "y": top, "width": width, "height": 60}
    yield tag("rect", {"class": f"interval {kind}", **box})
    yield _line(f"estimate {kind}", part.estimate_x, part.estimate_x, top, end)
    yield _line("one", drawing.one_x, drawing.one_x, top, end + 2)
    yield from (_dot(dot, kind) for dot in part.dots)


def _line(kind: str, x1: float, x2: float, y1: float, y2: float) -> Markup:
    return tag("line", {"class": kind, "x1": x1, "x2": x2, "y1": y1, "y2": y2})


def _dot(dot: Dot, kind: str) -> Markup:
    shown = "beyond" if dot.is_beyond else "dot"
    place: Attributes = {"class": f"{shown} {kind}", "cx": dot.x, "cy": dot.y, "r": 2.6}
    return tag("circle", place, tag("title", {}, dot.title))


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST else f"...{name[3 - _LONGEST :]}"
