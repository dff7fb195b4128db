"""`--plot` of bench and report."""

from __future__ import annotations

import json

import pytest


@pytest.mark.slow
def test_a_plot_is_made_of_a_record_and_replaced_by_the_next_one(place, model):
    """Twice from one measurement, byte for byte; a picture of somebody else is kept."""
    done = place.call("bench", "good.onnx", "good.onnx", "--pairs", "5", "--plot", "a.svg",
                      "--level", "none", "--json", "r.json")  # fmt: skip
    assert done.exit_code in (0, 3)
    drawn = (place / "a.svg").read_text()
    for name in ("b.svg", "a.svg"):
        assert place.call("report", "r.json", "--plot", name).exit_code == 0
        assert (place / name).read_text() == drawn
    pytest.importorskip("matplotlib", reason="matplotlib draws a PNG")
    for name in ("a.png", "b.png", "a.png"):
        assert place.call("report", "r.json", "--plot", name).exit_code == 0
    assert (place / "a.png").read_bytes() == (place / "b.png").read_bytes()
    (place / "mine.png").write_bytes(b"\x89PNG\r\n\x1a\nmine")
    assert "is there already" in place.call("report", "r.json", "--plot", "mine.png").stderr


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["bench", "good.onnx", "good.onnx", "--plot", "a.pdf"], "a plot is SVG or PNG"),
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


def test_without_matplotlib_a_png_is_refused_before_any_work(place, model, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    result = place.call("bench", "good.onnx", "good.onnx", "--plot", "a.png")
    assert result.exit_code == 2
    assert "pip install matplotlib" in result.stderr
