"""What the measuring process does, done here: its report, and its errors as data."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import asdict

import numpy as np
import pytest

from bnfold.bench.bench_steps import read_step
from bnfold.bench.child import main
from bnfold.bench.child_alone import latencies_ms, peak_rss_mib, resident_mib
from bnfold.runtime.engine import Setting

RELU = "g (float[N,2] x) => (float[N,2] y) { y = Relu(x) }"
ALONE = {"task": "alone", "seconds": 0.05, "warm_up": 1, "streams": 0}


@pytest.fixture
def report_of(model_file, tmp_path, monkeypatch):
    def make(details, *, shape=(3, 2), models=1):
        np.savez(tmp_path / "feeds.npz", np.ones(shape, np.float32))
        job = {
            "models": [{"path": str(model_file(RELU, f"{i}.onnx")), "name": f"m{i}"}
                       for i in range(models)],
            "feeds": str(tmp_path / "feeds.npz"),
            "feed_names": ["x"],
            "report": str(tmp_path / "report.json"),
            "setting": asdict(Setting()),
            **details,
        }  # fmt: skip
        monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps(job)))
        main()
        return json.loads((tmp_path / "report.json").read_text())

    return make


def test_alone_there_are_samples_of_sessions_and_runs(report_of):
    report = report_of(ALONE)
    assert len(report["samples_ms"]) >= 10
    assert 1 <= len(report["session_samples_ms"]) <= 5
    assert min(report["samples_ms"] + report["session_samples_ms"]) > 0
    assert report["peak_rss_mib"] >= report["base_rss_mib"] > 1
    assert report["runs_per_s"] is None


def test_streams_share_a_session_and_their_runs_are_counted(report_of):
    assert report_of({**ALONE, "streams": 3})["runs_per_s"] > 10


def test_pairs_are_those_of_the_protocol_and_progress_is_told(report_of, capsys):
    details = {"task": "pairs", "pairs": 5, "seconds": None, "warm_up": 2, "seed": 3}
    report = report_of(details, models=3)
    assert [len(quads) for quads in (report["null"], *report["candidates"])] == [5, 5, 5]
    assert {quad["order"] for quad in report["null"]} == {"ABBA", "BAAB"}
    said = [read_step(line) for line in capsys.readouterr().out.splitlines()]
    assert said == [(i + 1, 5) for i in range(5)]


def test_a_line_of_some_library_is_no_step():
    for line in ("hello", "bnfold-step 1", "bnfold-step a 3", ""):
        assert read_step(line) is None


def test_an_error_that_a_user_should_see_is_passed_on_by_its_class(report_of):
    report = report_of(ALONE, shape=(3, 5))
    assert report["error"] == "FailedError"
    assert report["message"].startswith("m0: it does not run on these inputs")


def test_a_model_is_run_as_often_as_warms_it_up_and_then_for_the_time():
    calls = []
    samples = latencies_ms(lambda: calls.append(1), seconds=0.01, warm_up=5)
    assert len(calls) == len(samples) + 5
    assert len(latencies_ms(lambda: None, seconds=0.0, warm_up=0)) == 4


def test_the_peak_is_never_below_what_is_held_now():
    assert peak_rss_mib() >= resident_mib() * 0.99
