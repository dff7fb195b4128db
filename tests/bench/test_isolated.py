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
FEEDS = {"file": np.ones((3, 2), np.float32)}


@pytest.fixture
def subject(model_file) -> ModelFile:
    return ModelFile("small", model_file(SMALL), (), 0)


@pytest.fixture
def measured(place, subject):
    def measure(*, setting=None, feeds=None, processes=1, python=sys.executable):
        where = place(feeds or FEEDS, setting or Setting(), python)
        return measure_isolated(where, subject, processes=processes, warm_up=3)

    return measure


def test_a_small_model_reports_every_figure_with_its_samples(measured):
    found = measured(setting=Setting(level="none"), processes=9)
    assert (found.model, found.provider, found.level) == ("small", "cpu", "none")
    assert 0 < found.p10_ms <= found.median_ms <= found.p90_ms <= found.p99_ms
    assert found.median_ms == pytest.approx(np.median(found.medians_ms))
    assert found.session_ms == pytest.approx(np.median(found.session_samples_ms))
    assert len(found.medians_ms) == 3
    assert found.runs > len(found.samples_ms) == 600
    assert 0 < found.base_rss_mib <= found.peak_rss_mib


def test_the_peak_is_the_childs_and_not_what_this_process_once_held(measured):
    """ru_maxrss is inherited through fork and exec."""
    ballast = np.ones(64 * 1024 * 1024)  # 512 MiB, touched
    found = measured()
    assert psutil.Process().memory_info().rss > ballast.nbytes
    assert found.peak_rss_mib < 400


def test_modules_in_the_working_directory_are_not_imported(measured, tmp_path, monkeypatch):
    for name in ("numpy", "json", "statistics"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('shadowed')")
    monkeypatch.chdir(tmp_path)
    assert measured().median_ms > 0


def test_inputs_that_do_not_fit_come_back_as_a_model_error(measured):
    with pytest.raises(ModelError, match=r"small: it does not run on these inputs: .*Expected: 2"):
        measured(feeds={"file": np.ones((3, 5), np.float32)})


@pytest.mark.parametrize(
    ("end", "error", "words"),
    [
        ("kill -9 $$", ModelError, "killed by signal 9; .*memory"),
        ("echo 'Traceback of ours' >&2; exit 1", InternalError, "Traceback of ours"),
    ],
)
def test_a_process_that_dies_is_explained(measured, tmp_path, end, error, words):
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\n{end}\n")
    python.chmod(0o755)
    with pytest.raises(error, match=words):
        measured(python=str(python))


def test_reading_a_record_of_a_measurement_imports_little():
    code = "import bnfold.bench, sys; print({'onnx', 'onnx_ir', 'torch'} & set(sys.modules))"
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"
