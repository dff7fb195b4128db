"""The comparisons of a measurement as one SVG file, which needs nothing beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from bnfold.report.chart_html import LEGEND, chart_svg, setting_of
from bnfold.report.markup import Attributes, Markup, tag
from bnfold.report.ratio_chart import WIDTH, ratio_chart

if TYPE_CHECKING:
    from bnfold.bench.records import Comparison

MARK = "Made by bnfold"
"""Says to whoever would replace the file that it is one of ours."""

_HEAD, _GAP, _FOOT, _MARGIN = 46.0, 22.0, 24.0, 16.0
_STYLE = """
text { fill: #5d666f; font: 12px system-ui, sans-serif; }
.title { fill: #1d2126; font-weight: 600; }
.axis { stroke: #dfe2e5; }
.one { stroke: #5d666f; stroke-dasharray: 3 3; }
.interval { opacity: 0.22; }
.candidate { fill: #2158a8; stroke: #2158a8; }
.null { fill: #5d666f; stroke: #5d666f; }
.dot { fill-opacity: 0.65; stroke: none; }
.beyond { fill: none; stroke-width: 1.2; }
.estimate { stroke-width: 2; }
"""


def plot_svg(comparisons: Sequence[Comparison]) -> str:
    """The drawing of each comparison below its verdict; on white, for a paper or a slide."""
    drawings = [ratio_chart(comparison) for comparison in comparisons]
    height = sum(_HEAD + drawing.height + _GAP for drawing in drawings) + _FOOT
    width = WIDTH + 2 * _MARGIN
    attributes: Attributes = {
        "xmlns": "http://www.w3.org/2000/svg",
        "viewBox": f"0 0 {width:g} {height:g}",
        "width": width,
        "height": height,
    }
    ground = tag("rect", {"width": "100%", "height": "100%", "fill": "#fff"})
    legend = tag("text", {"x": _MARGIN, "y": height - 10}, LEGEND)
    parts = _parts(comparisons)
    style = tag("style", {}, Markup(_STYLE))
    return f"{tag('svg', attributes, tag('desc', {}, MARK), style, ground, parts, legend)}\n"


def _parts(comparisons: Sequence[Comparison]) -> Iterator[Markup]:
    top = 0.0
    for comparison in comparisons:
        drawing = ratio_chart(comparison)
        place: Attributes = {"x": _MARGIN, "y": top + 18, "class": "title"}
        yield tag("text", place, comparison.sentence)
        yield tag("text", {"x": _MARGIN, "y": top + 34}, setting_of(comparison))
        size = {"width": drawing.width, "height": drawing.height}
        yield chart_svg(comparison, drawing, {"x": _MARGIN, "y": top + _HEAD, **size})
        top += _HEAD + drawing.height + _GAP
