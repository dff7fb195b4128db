"""The timings as one SVG or PNG file: whole, and of every comparison."""

from __future__ import annotations

import io
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest

from bnfold.report.plot import plot_svg
from bnfold.report.plot_png import plot_png
from bnfold.report.ratio_chart import MARGIN
from tests.report.test_html import BENCH

SVG = "{http://www.w3.org/2000/svg}"


def test_every_comparison_is_drawn_below_its_verdict():
    root = ElementTree.fromstring(plot_svg(BENCH.comparisons * 2))
    charts = root.findall(f"{SVG}svg")
    texts = ["".join(text.itertext()) for text in root.findall(f"{SVG}text")]
    pairs = len(BENCH.comparisons[0].quads) + len(BENCH.comparisons[0].null_quads)
    assert [len(chart.findall(f"{SVG}circle")) for chart in charts] == [pairs, pairs]
    assert texts.count(BENCH.comparisons[0].sentence) == 2
    tops = [float(chart.get("y")) for chart in charts]
    assert tops[1] >= tops[0] + float(charts[0].get("height"))
    assert tops[1] + float(charts[1].get("height")) + MARGIN < float(root.get("height"))


def test_it_asks_nobody_for_anything_and_runs_nothing():
    text = plot_svg(BENCH.comparisons)
    assert "<script" not in text
    assert "href" not in text
    assert text.count("http") == 1  # the name of its language


def pixels(comparisons):
    image = pytest.importorskip("matplotlib.image", reason="matplotlib draws and reads it")
    return image.imread(io.BytesIO(plot_png(comparisons)), format="png")[..., :3]


def test_a_png_is_twice_as_fine_as_the_svg_and_has_its_parts_in_the_same_places():
    root = ElementTree.fromstring(plot_svg(BENCH.comparisons))
    found = pixels(BENCH.comparisons)
    scale = 200 / 96
    height, width = (round(float(root.get(name)) * scale) for name in ("height", "width"))
    assert np.abs(np.subtract(found.shape[:2], (height, width))).max() <= 1
    (chart,) = root.findall(f"{SVG}svg")
    for line in chart.findall(f"{SVG}line"):
        if "estimate" in line.get("class"):
            x = float(chart.get("x")) + float(line.get("x1"))
            y = float(chart.get("y")) + (float(line.get("y1")) + float(line.get("y2"))) / 2
            around = found[round(y * scale), round(x * scale) - 2 : round(x * scale) + 3]
            assert around.min() < 0.45  # the line's own ink, of which the interval has a fifth


def test_the_name_of_a_model_is_words_in_a_png_and_no_formula():
    plain = replace(BENCH.comparisons[0], candidate="$x$ $\\frac$.onnx")
    assert not np.array_equal(pixels([plain]), pixels(BENCH.comparisons))
