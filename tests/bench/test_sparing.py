"""Models so large that opening them is most of the work are measured less, and that is told."""

from __future__ import annotations

import pytest

import bnfold
from bnfold.bench import sparing
from bnfold.bench.schedule import Schedule
from bnfold.runtime import large
from bnfold.typed import room


@pytest.fixture
def pair(model_file, monkeypatch):
    """Two models that count as large, and a minute that is a moment."""
    monkeypatch.setattr(large, "LARGE_BYTES", 1)
    monkeypatch.setattr(sparing, "_SECONDS", 0.01)
    texts = {
        "one.onnx": "g (float[N,4096] x) => (float[N,4096] y) { y = Sin(x) }",
        "two.onnx": "g (float[N,4096] x) => (float[N,4096] y) { z = Sin(x) y = Sin(z) }",
    }
    return [model_file(text, name) for name, text in texts.items()]


@pytest.mark.slow
def test_a_large_model_is_timed_without_optimisations_and_in_one_process(pair):
    with pytest.warns(UserWarning, match=r"one\.onnx has .* without optimisations alone"):
        result = bnfold.bench(pair)
    (comparison,) = result.comparisons
    assert comparison.level == "none"
    assert len(comparison.processes) == 1
    assert result.settings.levels == ("none",)
    assert result.settings.pairs is None


@pytest.mark.slow
def test_what_is_asked_for_is_done_all_the_same(pair, recwarn):
    result = bnfold.bench(pair, levels="basic", processes=2, pairs=5)
    assert {row.level for row in (*result.comparisons, *result.isolated)} == {"basic"}
    assert sum(result.comparisons[0].processes) == 5
    assert result.settings.processes == 2
    assert not recwarn


def test_room_is_asked_for_the_baseline_twice(pair, monkeypatch):
    """Beside the pair there is a second session of the first model."""
    asked = []
    monkeypatch.setattr(room, "require_memory", lambda *of: asked.append(of))
    monkeypatch.setattr(Schedule, "run", lambda self: None)
    bnfold.bench(pair, levels="all", processes=1, pairs=5)
    first, second = (path.stat().st_size for path in pair)
    assert [needed for needed, what in asked if "to optimise" in what] == [
        2 * first + second + max(first, second)
    ]
