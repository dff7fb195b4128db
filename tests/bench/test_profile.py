"""Time per operator, from a trace of known times and from a real one."""

from __future__ import annotations

import numpy as np
import pytest

from bnfold.bench.model_files import ModelFile
from bnfold.bench.profile import operator_times, profile
from bnfold.runtime.engine import Setting


def node(name: str, op: str, ts: int, dur: int, index: int) -> dict:
    args = {"op_name": op, "provider": "CPUExecutionProvider", "node_index": str(index)}
    return {"cat": "Node", "name": f"{name}_kernel_time", "ts": ts, "dur": dur, "args": args}


def run(ts: int, dur: int) -> dict:
    return {"cat": "Session", "name": "model_run", "ts": ts, "dur": dur, "args": {}}


def test_times_are_summed_per_operator_over_the_faster_half_of_the_runs():
    events = [
        run(0, 99_500), node("c0", "Conv", 1, 99_000, 0),
        run(100_000, 5000), node("c0", "Conv", 100_001, 3000, 0),
        node("c1", "Conv", 103_002, 1000, 1), node("r", "Relu", 104_003, 500, 2),
        run(200_000, 6000), node("c0", "Conv", 200_001, 3000, 0),
        node("c1", "Conv", 203_002, 1000, 1), node("r", "Relu", 204_003, 1500, 2),
        run(300_000, 70_000), node("r", "Relu", 300_001, 69_000, 2),
    ]  # fmt: skip
    conv, relu = operator_times(events)
    assert (conv.op, conv.provider, conv.nodes, conv.mean_ms) == ("Conv", "CPU", 2, 4.0)
    assert (relu.op, relu.nodes, relu.mean_ms) == ("Relu", 1, 1.0)
    assert conv.share == pytest.approx(0.8)


def test_a_profile_without_runs_has_no_operators():
    assert operator_times([]) == ()


def test_a_real_profile_names_every_operator_and_leaves_no_file(
    model_file, place, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    text = "g (float[N,2] x) => (float[N,2] y) { a = Exp(x) b = Sin(a) y = Exp(b) }"
    subject = ModelFile("m", model_file(text), (), 0)
    feeds = {"x": np.ones((4, 2), np.float32)}
    found = profile(place(feeds, Setting(level="none")), subject)
    assert {row.op: row.nodes for row in found.operators} == {"Exp": 2, "Sin": 1}
    assert sum(row.share for row in found.operators) == pytest.approx(1.0)
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]
