"""Time per operator, from a trace of known times and from a real one."""

from __future__ import annotations

import numpy as np
import pytest

from bnfold.bench.profile import operator_times, profile
from bnfold.bench.sessions import SessionSettings
from bnfold.bench.subjects import Subject


def node(name: str, op: str, ts: int, dur: int, index: int) -> dict:
    args = {"op_name": op, "provider": "CPUExecutionProvider", "node_index": str(index)}
    return {"cat": "Node", "name": f"{name}_kernel_time", "ts": ts, "dur": dur, "args": args}


def run(ts: int) -> dict:
    return {"cat": "Session", "name": "model_run", "ts": ts, "dur": 1, "args": {}}


def test_times_are_summed_per_operator_over_the_last_runs_only():
    events = [
        run(0), node("c0", "Conv", 1, 99_000, 0),
        run(200), node("c0", "Conv", 201, 3000, 0), node("c1", "Conv", 202, 1000, 1),
        node("r", "Relu", 203, 500, 2),
        run(300), node("c0", "Conv", 301, 3000, 0), node("c1", "Conv", 302, 1000, 1),
        node("r", "Relu", 303, 1500, 2),
    ]  # fmt: skip
    conv, relu = operator_times(events, runs=2)
    assert (conv.op, conv.provider, conv.nodes, conv.mean_ms) == ("Conv", "CPU", 2, 4.0)
    assert (relu.op, relu.nodes, relu.mean_ms) == ("Relu", 1, 1.0)
    assert conv.share == pytest.approx(0.8)


def test_a_real_profile_names_every_operator_and_leaves_no_file(model_file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = "g (float[N,2] x) => (float[N,2] y) { a = Exp(x) b = Sin(a) y = Exp(b) }"
    subject = Subject("m", model_file(text), (), 0)
    found = profile(subject, SessionSettings(level="none"), {"x": np.ones((4, 2), np.float32)})
    assert {row.op: row.nodes for row in found.operators} == {"Exp": 2, "Sin": 1}
    assert sum(row.share for row in found.operators) == pytest.approx(1.0)
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]
