"""The drawing of `plot_svg` as PNG, for where SVG is not shown; matplotlib draws it.

The axes cover the figure and are measured in the units of the SVG, so that both are one drawing.
"""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bnfold.errors import MissingDependencyError
from bnfold.escaping import shown
from bnfold.report.chart_html import LEGEND, setting_of, subject_of
from bnfold.report.plot import COLOURS, FOOT, HEAD, MARGIN, MARK, SOFT, placed
from bnfold.report.ratio_chart import ChartRow, Dot, Drawing

if TYPE_CHECKING:
    from bnfold.bench.rows import Comparison

_DPI = 200
_UNITS_PER_INCH = 96  # as in a browser
_POINTS = 72 / _UNITS_PER_INCH


def require_matplotlib() -> None:
    """Returns where matplotlib is there.

    Raises:
        MissingDependencyError: it is not.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise MissingDependencyError(
            "a plot as PNG needs matplotlib: pip install matplotlib; one as SVG needs nothing"
        )


def plot_png(comparisons: Sequence[Comparison]) -> bytes:
    """The drawing of each comparison below its verdict, twice as fine as on a screen.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """
    require_matplotlib()
    from matplotlib.figure import Figure

    places = placed(comparisons)
    size = (places.width / _UNITS_PER_INCH, places.height / _UNITS_PER_INCH)
    figure = Figure(figsize=size, dpi=_DPI, facecolor="white")
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, places.width), ylim=(places.height, 0))
    axes.set_axis_off()
    for comparison, drawing, top in places.drawings:
        _say(axes, MARGIN, top + 18, comparison.sentence, color="#1d2126", weight="bold")
        _say(axes, MARGIN, top + 34, setting_of(comparison))
        _draw(axes, comparison, drawing, top + HEAD)
    _say(axes, MARGIN, places.height - FOOT + 14, LEGEND)
    file = io.BytesIO()
    figure.savefig(file, format="png", metadata={"Software": MARK})
    return file.getvalue()


def _say(axes: Any, x: float, y: float, text: str, **how: Any) -> None:
    """`parse_math` is off: a name between dollar signs is a name."""
    style = {"color": SOFT, "fontsize": 12 * _POINTS * 0.9, "parse_math": False, **how}
    axes.text(x, y, shown(text), **style)


def _draw(axes: Any, comparison: Comparison, drawing: Drawing, top: float) -> None:
    for row in drawing.rows:
        _say(axes, MARGIN, top + row.top + 15, subject_of(row, comparison))
        _draw_row(axes, row, drawing, top)
    bottom = top + drawing.height - 20
    axes.plot([MARGIN, MARGIN + drawing.width], [bottom, bottom], color="#dfe2e5", linewidth=0.8)
    for tick in drawing.ticks:
        x = MARGIN + tick.x
        axes.plot([x, x], [bottom, bottom + 5], color="#dfe2e5", linewidth=0.8)
        _say(axes, x, bottom + 18, tick.label, ha="center")


def _draw_row(axes: Any, row: ChartRow, drawing: Drawing, top: float) -> None:
    """The interval, the estimate, the line of no difference, and a dot for every pair."""
    from matplotlib.patches import Rectangle

    colour = COLOURS[row.kind]
    start, end = top + row.top + 20, top + row.top + 80
    corner, width = (MARGIN + row.low_x, start), max(row.high_x - row.low_x, 1)
    axes.add_patch(Rectangle(corner, width, end - start, color=colour, alpha=0.22, linewidth=0))
    estimate, one = MARGIN + row.estimate_x, MARGIN + drawing.one_x
    axes.plot([estimate, estimate], [start, end], color=colour, linewidth=2 * _POINTS)
    axes.plot([one, one], [start, end + 2], color=SOFT, linewidth=_POINTS, dashes=(3, 3))
    inner = [dot for dot in row.dots if not dot.is_beyond]
    beyond = [dot for dot in row.dots if dot.is_beyond]
    _dots(axes, inner, top, facecolor=colour, alpha=0.65, linewidths=0)
    _dots(axes, beyond, top, facecolor="none", edgecolor=colour, linewidths=1.2 * _POINTS)


def _dots(axes: Any, dots: Sequence[Dot], top: float, **how: Any) -> None:
    size = (2 * 2.6 * _POINTS) ** 2
    axes.scatter([MARGIN + dot.x for dot in dots], [top + dot.y for dot in dots], s=size, **how)
