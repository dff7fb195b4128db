"""`bnfold.run`: the steps, their results together, and the folder that `save` leaves."""

from __future__ import annotations

import importlib
import json

import jsonschema
import numpy as np
import onnx
import pytest

import bnfold
from bnfold.errors import UsageError
from docs.schemas import schema_of
from tests.cli.conftest import GOOD, parsed
from tests.runtime_oracle import in_onnxruntime

FEW = {"pairs": 5, "levels": "none", "samples": 2}


@pytest.fixture(scope="module")
def ran():
    """A model in memory, run once for all tests that look at it."""
    steps = []
    result = bnfold.run(parsed(GOOD), **FEW, progress=lambda *step: steps.append(step))
    return result, steps


def test_each_step_has_its_result(ran):
    result, steps = ran
    assert result.export is None
    assert result.fold.ledger.batch_norms_after == 0
    assert result.verification.is_equivalent
    assert [c.level for c in result.bench.comparisons] == ["none"]
    assert result
    assert result.exit_code in (0, 3)  # a machine may be too busy to tell the two apart
    assert {len(step) for step in steps} == {3}


def test_the_result_shows_itself_in_a_line_in_a_notebook_and_as_a_record(ran):
    result, _ = ran
    assert repr(result).startswith("<RunResult batch norms: 1 -> 0; equivalent; ")
    assert "\n" not in repr(result)
    assert "<table" in result._repr_html_()
    assert result.to_dict().keys() == {"fold", "verify", "bench"}


def test_the_folder_has_the_model_the_record_and_the_page(ran, tmp_path):
    result, _ = ran
    folder = result.save(tmp_path / "out")
    assert sorted(p.name for p in folder.iterdir()) == ["folded.onnx", "report.html", "report.json"]
    record = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema_of("run")).validate(record)
    x = np.random.default_rng(0).standard_normal((2, 2, 5, 5)).astype(np.float32)
    models = parsed(GOOD), onnx.load(folder / "folded.onnx")
    old, new = (in_onnxruntime(model, {"x": x})[0] for model in models)
    np.testing.assert_allclose(new, old, rtol=1e-5, atol=1e-5)


def test_a_model_that_comes_out_different_is_neither_timed_nor_saved(tmp_path, monkeypatch):
    wrong = parsed(GOOD.replace("mean = {0.3,", "mean = {0.4,"))
    real = bnfold.fold
    steps = importlib.import_module("bnfold.run.steps")
    monkeypatch.setattr(steps, "fold", lambda _model, **rest: real(wrong, **rest))
    onnx.save(parsed(GOOD), tmp_path / "good.onnx")
    result = bnfold.run(tmp_path / "good.onnx", **FEW)
    assert not result
    assert result.exit_code == 1
    assert result.bench is None
    assert result.reason.startswith("different: ")
    assert not (result.save(tmp_path / "out") / "folded.onnx").exists()


@pytest.mark.slow
def test_a_torch_module_is_exported_first():
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnxscript")
    module = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    result = bnfold.run(module, (1, 3), **FEW)
    assert result.source == "Sequential"
    assert result.export.batch_norms == 1
    assert result.fold.ledger.batch_norms_after == 0
    # What most people deploy is timed beside it, and decides nothing.
    assert [m.role for m in result.bench.models] == ["baseline", "candidate", "export"]
    assert [c.candidate for c in result.bench.headline] == ["folded.onnx"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"opset": 20}, "an ONNX model already"),
        ({"inputs": (1, 3)}, "an ONNX model already"),
        ({"allow": "clones"}, "clones"),
        ({"providers": "tpu"}, "unknown provider 'tpu'"),
    ],
)
def test_settings_that_make_no_sense_are_refused_before_any_work(settings, words):
    with pytest.raises(UsageError, match=words):
        bnfold.run(parsed(GOOD), **settings, progress=lambda *_: pytest.fail("work was done"))
