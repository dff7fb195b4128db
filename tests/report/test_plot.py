"""The timings as one SVG file: whole, and of every comparison."""

from __future__ import annotations

from xml.etree import ElementTree

from bnfold.report.plot import plot_svg
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
