"""The comparisons of a measurement as one SVG file, which needs nothing beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bnfold.report.chart_html import LEGEND, chart_svg, setting_of
from bnfold.report.markup import Attributes, Markup, tag
from bnfold.report.ratio_chart import WIDTH, Drawing, ratio_chart

if TYPE_CHECKING:
    from bnfold.bench.rows import Comparison

MARK = "Made by bnfold"
"""Says to whoever would replace the file that it is one of ours."""

HEAD, FOOT, MARGIN = 46.0, 24.0, 16.0
"""SVG units above a drawing, below the last one, and on either side."""

SOFT = "#5d666f"
COLOURS = {"candidate": "#2158a8", "null": SOFT}
"""Of the candidate's pairs, and of the baseline's against itself."""

_GAP = 22.0
_STYLE = f"""
text {{ fill: {SOFT}; font: 12px system-ui, sans-serif; }}
.title {{ fill: #1d2126; font-weight: 600; }}
.axis {{ stroke: #dfe2e5; }}
.one {{ stroke: {SOFT}; stroke-dasharray: 3 3; }}
.interval {{ opacity: 0.22; }}
.candidate {{ fill: {COLOURS["candidate"]}; stroke: {COLOURS["candidate"]}; }}
.null {{ fill: {COLOURS["null"]}; stroke: {COLOURS["null"]}; }}
.dot {{ fill-opacity: 0.65; stroke: none; }}
.beyond {{ fill: none; stroke-width: 1.2; }}
.estimate {{ stroke-width: 2; }}
"""


@dataclass(frozen=True)
class Places:
    """Where each comparison's drawing begins, from the top, and how large the whole is."""

    drawings: tuple[tuple[Comparison, Drawing, float], ...]
    width: float
    height: float


def placed(comparisons: Sequence[Comparison]) -> Places:
    """The drawings one below the other."""
    drawings, top = [], 0.0
    for comparison in comparisons:
        drawing = ratio_chart(comparison)
        drawings.append((comparison, drawing, top))
        top += HEAD + drawing.height + _GAP
    return Places(tuple(drawings), WIDTH + 2 * MARGIN, top + FOOT)


def plot_svg(comparisons: Sequence[Comparison]) -> str:
    """The drawing of each comparison below its verdict; on white, for a paper or a slide."""
    places = placed(comparisons)
    attributes: Attributes = {
        "xmlns": "http://www.w3.org/2000/svg",
        "viewBox": f"0 0 {places.width:g} {places.height:g}",
        "width": places.width,
        "height": places.height,
    }
    ground = tag("rect", {"width": "100%", "height": "100%", "fill": "#fff"})
    legend = tag("text", {"x": MARGIN, "y": places.height - FOOT + 14}, LEGEND)
    style = tag("style", {}, Markup(_STYLE))
    parts = (tag("desc", {}, MARK), style, ground, _parts(places), legend)
    return f"{tag('svg', attributes, *parts)}\n"


def _parts(places: Places) -> Iterator[Markup]:
    for comparison, drawing, top in places.drawings:
        place: Attributes = {"x": MARGIN, "y": top + 18, "class": "title"}
        yield tag("text", place, comparison.sentence)
        yield tag("text", {"x": MARGIN, "y": top + 34}, setting_of(comparison))
        size = {"width": drawing.width, "height": drawing.height}
        yield chart_svg(comparison, drawing, {"x": MARGIN, "y": top + HEAD, **size})
