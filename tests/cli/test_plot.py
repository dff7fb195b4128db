"""`--plot` of bench and report."""

from __future__ import annotations

import json

import pytest


def test_a_plot_is_made_of_a_record_and_replaced_by_the_next_one(place, model):
    done = place.call("bench", "good.onnx", "good.onnx", "--pairs", "5", "--plot", "a.svg",
                      "--level", "none", "--json", "r.json")  # fmt: skip
    assert done.exit_code in (0, 3)
    drawn = (place / "a.svg").read_text()
    assert place.call("report", "r.json", "--plot", "b.svg").exit_code == 0
    assert (place / "b.svg").read_text() == drawn
    assert place.call("report", "r.json", "--plot", "a.svg").exit_code == 0


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["bench", "good.onnx", "good.onnx", "--plot", "a.png"], "a plot is an SVG file"),
        (["bench", "good.onnx", "--plot", "a.svg"], "there are none here"),
        (["report", "r.json", "--plot", "a.svg"], "there are none here"),
    ],
)
def test_what_cannot_be_drawn_is_refused_before_any_work(place, model, args, words):
    place.call("inspect", "good.onnx", "--json", "r.json")
    before = place.content()
    result = place.call(*args)
    assert result.exit_code == 2
    assert words in result.stderr
    assert json.loads((place / "r.json").read_text())
    assert place.content() == before
