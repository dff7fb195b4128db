"""Fresh processes: what they report is the model's own, and their failures are sentences."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest

from bnfold.bench.isolated import measure_isolated
from bnfold.bench.model_files import ModelFile
from bnfold.errors import InternalError, ModelError
from bnfold.runtime.engine import Setting

SMALL = "g (float[N,2] file) => (float[N,2] y) { y = Relu(file) }"  # savez has a `file` of its own


@pytest.fixture
def subject(model_file) -> ModelFile:
    return ModelFile("small", model_file(SMALL), (), 0)


@pytest.fixture
def feeds() -> dict[str, np.ndarray]:
    return {"file": np.ones((3, 2), np.float32)}


def test_a_small_model_reports_every_figure_with_its_samples(subject, feeds):
    found = measure_isolated(subject, Setting(level="none"), feeds)
    assert (found.model, found.provider, found.level) == ("small", "cpu", "none")
    assert 0 < found.p10_ms <= found.median_ms <= found.p90_ms
    assert found.median_ms == pytest.approx(np.median(found.samples_ms))
    assert found.session_ms == pytest.approx(np.median(found.session_samples_ms))
    assert len(found.samples_ms) >= 10
    assert 0 < found.base_rss_mib <= found.peak_rss_mib


def test_the_peak_is_the_childs_and_not_what_this_process_once_held(subject, feeds):
    """ru_maxrss is inherited through fork and exec."""
    ballast = np.ones(64 * 1024 * 1024)  # 512 MiB, touched
    found = measure_isolated(subject, Setting(), feeds)
    assert psutil.Process().memory_info().rss > ballast.nbytes
    assert found.peak_rss_mib < 400


def test_modules_in_the_working_directory_are_not_imported(subject, feeds, tmp_path, monkeypatch):
    for name in ("numpy", "json", "statistics"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('shadowed')")
    monkeypatch.chdir(tmp_path)
    assert measure_isolated(subject, Setting(), feeds).median_ms > 0


def test_inputs_that_do_not_fit_come_back_as_a_model_error(subject):
    wrong = {"file": np.ones((3, 5), np.float32)}
    with pytest.raises(ModelError, match=r"small: it does not run on these inputs: .*Expected: 2"):
        measure_isolated(subject, Setting(), wrong)


@pytest.mark.parametrize(
    ("code", "error", "words"),
    [(-9, ModelError, "killed by signal 9; .*memory"), (1, InternalError, "Traceback of ours")],
)
def test_a_process_that_dies_is_explained(subject, monkeypatch, code, error, words):
    def run(command, **_):
        return subprocess.CompletedProcess(command, code, "", "Traceback of ours")

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(error, match=words):
        measure_isolated(subject, Setting(), {})


def test_the_child_carries_little_besides_the_model():
    """What the package itself imports counts towards the memory that the child reports."""
    code = "import bnfold.bench, sys; print({'onnx', 'onnx_ir', 'torch'} & set(sys.modules))"
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"
