"""`make demo` says what it does, and ends well only if no network was changed by its fold."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_the_demo_goes_through_and_leaves_its_reports(tmp_path):
    pytest.importorskip("sklearn")  # here, as it takes a second that collecting need not
    done = subprocess.run(
        [sys.executable, "-m", "models.demo", "--output", tmp_path, "--pairs", "5"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("the same digit on 500 of 500 images") == 2
    for name in ("digits_cnn", "digits_cnn_post"):
        record = json.loads((tmp_path / name / "report.json").read_text())
        assert record["result"]["verify"]["verdict"] == "equivalent"


@pytest.mark.parametrize(
    ("folded", "is_same"), [([[0, 1], [1, 0]], True), ([[1, 0], [1, 0]], False)]
)
def test_the_demo_notices_a_decision_that_changed(monkeypatch, folded, is_same):
    from models import demo
    from models.recipe import RECIPES

    answers = {"original.onnx": [[0, 1], [1, 0]], "folded.onnx": folded}
    monkeypatch.setattr(demo, "outputs_of_onnx", lambda _, path: np.array(answers[path.name]))
    monkeypatch.setattr(demo, "metric_of", lambda *_: 99.4)
    assert demo.same_answers(RECIPES["digits_cnn"], Path()) is is_same
