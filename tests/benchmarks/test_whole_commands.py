"""Whole commands are costed as they are, and a tool that fails is a row."""

from __future__ import annotations

import sys

import onnx
import pytest

from benchmarks.whole_commands import GROWING, Chain, Cost, cost, draw, medians, table, written


def test_a_command_costs_what_it_takes_and_a_failing_one_nothing(tmp_path):
    spent = cost([sys.executable, "-c", "x = b'x' * (1 << 27); sum(range(10**7))"], "", tmp_path)
    assert spent is not None
    assert spent.wall_s > 0.05
    assert spent.peak_mb > 128
    assert cost([sys.executable, "-c", "raise SystemExit(3)"], "", tmp_path) is None
    answer = '{"error": "no"}\n'
    assert cost([sys.executable, "-c", "print(input())"], answer, tmp_path) is None


def test_what_python_compiles_is_there_for_the_next_command(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    assert cost([sys.executable, "-c", "import onnx.parser"], "", tmp_path) is not None
    assert any(tmp_path.rglob("parser.*.pyc"))


def test_a_chain_is_a_valid_model_with_its_weights_where_they_are_asked_for(tmp_path):
    path = written(Chain("small", 2, 8, is_external=True), tmp_path)
    onnx.checker.check_model(path)
    assert [node.op_type for node in onnx.load(path).graph.node][:3] == [
        "Conv", "BatchNormalization", "Relu",
    ]  # fmt: skip
    assert (tmp_path / "model.data").stat().st_size >= 2 * 8 * 8 * 9 * 4


def test_the_table_has_medians_and_says_who_fails():
    costs = [Cost(2.0, 3.0, 100.0), Cost(4.0, 3.0, 100.0), Cost(3.0, 3.0, 100.0)]
    found = {"bnfold": costs, "fast": [Cost(1.5, 1, 1)], "bad": [None]}
    text = table({Chain("a", 1, 8): {tool: medians(taken) for tool, taken in found.items()}})
    assert "| a | bnfold | 3.0 | 3.0 | 100 | 1.00 | 1.00 |" in text
    assert "| a | fast | 1.5 | 1.0 | 1 | 2.00 | 3.00 |" in text
    assert "| a | bad | fails, or takes over a minute | | | | |" in text


@pytest.mark.slow
def test_the_plot_shows_what_grows_with_the_bytes(tmp_path):
    pytest.importorskip("matplotlib")
    few, many = GROWING[0], GROWING[-1]
    draw(
        {few: {"bnfold": Cost(1, 1, 90)}, many: {"bnfold": Cost(9, 9, 180), "bad": None}},
        tmp_path / "plot.svg",
    )
    assert "MB of weights" in (tmp_path / "plot.svg").read_text(encoding="utf-8")
