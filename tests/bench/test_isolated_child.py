"""What the fresh process does, done here: its report, and its errors as data."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import asdict

import numpy as np
import pytest

from bnfold.bench.isolated_child import main, peak_rss_mib, resident_mib
from bnfold.runtime.engine import Setting


@pytest.fixture
def report_of(model_file, tmp_path, monkeypatch):
    def make(shape, *, text="g (float[N,2] x) => (float[N,2] y) { y = Relu(x) }"):
        np.savez(tmp_path / "feeds.npz", np.ones(shape, np.float32))
        job = {
            "model": str(model_file(text)),
            "name": "m",
            "feeds": str(tmp_path / "feeds.npz"),
            "feed_names": ["x"],
            "report": str(tmp_path / "report.json"),
            "settings": asdict(Setting()),
        }
        monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps(job)))
        main()
        return json.loads((tmp_path / "report.json").read_text())

    return make


def test_the_report_has_samples_of_sessions_and_runs(report_of):
    report = report_of((3, 2))
    assert 10 <= len(report["samples_ms"]) <= 200
    assert 1 <= len(report["session_samples_ms"]) <= 5
    assert min(report["samples_ms"] + report["session_samples_ms"]) > 0
    assert report["peak_rss_mib"] >= report["base_rss_mib"] > 1


def test_an_error_that_a_user_should_see_is_passed_on_by_its_class(report_of):
    report = report_of((3, 5))
    assert report["error"] == "FailedError"
    assert report["message"].startswith("m: it does not run on these inputs")


def test_the_peak_is_never_below_what_is_held_now():
    assert peak_rss_mib() >= resident_mib() * 0.99
