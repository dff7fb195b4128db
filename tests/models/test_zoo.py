"""The table of the networks: made through the toolkit, and true of what is committed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from click.testing import CliRunner
from torch import nn

from models.recipe import RECIPES
from models.zoo import __main__ as command
from models.zoo.table import page
from models.zoo.through import Through, signs, take

MODELS = Path(__file__).parents[2] / "models"
ROWS = list(command.read(MODELS / "zoo.json").values())


def test_the_committed_page_is_made_from_the_committed_record() -> None:
    machine = json.loads((MODELS / "zoo.json").read_text())["machine"]
    assert (MODELS / "zoo.md").read_text() == page(ROWS, machine)
    assert [row.name for row in ROWS] == list(RECIPES)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_no_metric_and_no_decision_changed_by_the_fold(row: Through) -> None:
    assert row.metrics["original"] == row.metrics["folded"]
    assert row.alike in (None, row.examples)
    recorded = json.loads(RECIPES[row.name].record_path.read_text())["value"]
    assert row.metrics["original"] == pytest.approx(recorded, abs=0.01)


def test_one_network_goes_through_all_of_it(tmp_path: Path) -> None:
    row = take(RECIPES["digits_mlp"], tmp_path, pairs=0)
    (committed,) = (r for r in ROWS if r.name == "digits_mlp")
    assert (row.before, row.after, row.reasons) == (
        committed.before, committed.after, committed.reasons,
    )  # fmt: skip
    assert row.metrics["original"] == committed.metrics["original"]
    assert row.metrics["folded_int8"] == pytest.approx(committed.metrics["folded_int8"], abs=1)
    for kind in ("original", "folded"):
        nodes = onnx.load(tmp_path / f"{kind}_int8.onnx").graph.node
        assert any(node.op_type == "QuantizeLinear" for node in nodes)


def test_where_a_scale_per_channel_cannot_be_had_both_have_one_per_tensor(tmp_path: Path) -> None:
    row = take(RECIPES["digits_denoiser"], tmp_path, pairs=0)
    assert not row.per_channel
    for kind in ("original", "folded"):
        graph = onnx.load(tmp_path / f"{kind}_int8.onnx").graph
        scales = [t for t in graph.initializer if t.name.endswith("_scale")]
        assert scales
        assert all(np.prod(t.dims) == 1 for t in scales)
        assert abs(row.metrics[f"{kind}_int8"] - row.metrics[kind]) < 0.5


def test_scales_are_counted_by_their_sign() -> None:
    norms = nn.Sequential(nn.BatchNorm1d(4), nn.BatchNorm1d(2))
    with torch.no_grad():
        norms[0].weight.copy_(torch.tensor([1.0, -1.0, 0.0, -2.0]))
    assert signs(norms) == (3, 2, 1)
    assert signs(nn.Linear(2, 2)) == (0, 0, 0)


def test_the_command_says_which_metric_a_fold_changed(tmp_path: Path, monkeypatch) -> None:
    (row, *_) = ROWS
    spoilt = Through(**{**row.__dict__, "metrics": {**row.metrics, "folded": 1.0}})
    monkeypatch.setattr(command, "RECIPES", {"digits_cnn": RECIPES["digits_cnn"]})
    monkeypatch.setattr(command, "take", lambda *_: spoilt)
    done = CliRunner().invoke(command.main, ["--output", str(tmp_path), "--pairs", "0"])
    assert done.exit_code == 1
    assert "the fold changed the test metric of digits_cnn" in done.output
    assert np.isclose(json.loads((tmp_path / "zoo.json").read_text())["networks"][0]["metrics"]
                      ["folded"], 1.0)  # fmt: skip


def test_a_network_whose_data_is_not_there_is_left_out_and_told(tmp_path, monkeypatch) -> None:
    from bnfold.errors import MissingDependencyError

    def missing(*_):
        raise MissingDependencyError("the package aeon is not installed")

    monkeypatch.setattr(command, "RECIPES", {"temporal": RECIPES["temporal"]})
    monkeypatch.setattr(command, "take", missing)
    done = CliRunner().invoke(command.main, ["--output", str(tmp_path)])
    assert done.exit_code == 0
    assert "temporal: left out: the package aeon" in done.output


def test_a_network_that_is_named_is_taken_and_the_others_stay(tmp_path, monkeypatch) -> None:
    (tmp_path / "zoo.json").write_text((MODELS / "zoo.json").read_text())
    known = {row.name: row for row in ROWS}
    fresh = Through(**{**known["densenet"].__dict__, "apart": 0.5})
    monkeypatch.setattr(command, "take", lambda *_: fresh)
    done = CliRunner().invoke(command.main, ["densenet", "--output", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert command.read(tmp_path / "zoo.json") == {**known, "densenet": fresh}
