"""A measurement as a person reads it: the verdict before any ratio."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bnfold.bench.records import BenchModel, BenchResult, Settings
from bnfold.bench.rows import Failed, OperatorTime, Profile
from bnfold.report.bench_text import bench_blocks
from bnfold.report.plain import plain_text
from tests.bench_rows import comparison, isolated

COMPARISON = comparison()
ISOLATED = isolated()
RESULT = BenchResult(
    models=(
        BenchModel("a.onnx", "a.onnx", "baseline", 1500, "0" * 64),
        BenchModel("b.onnx", "b.onnx", "candidate", 1200, "1" * 64),
    ),
    inputs=(),
    comparisons=(COMPARISON, replace(COMPARISON, level="none", verdict="faster", sentence="s")),
    isolated=(ISOLATED, replace(ISOLATED, model="b.onnx")),
    profiles=(Profile(model="a.onnx", provider="cpu", level="all", runs=10,
                      operators=(OperatorTime("Conv", "cpu", 3, 0.4, 0.8),)),),
    notes=("something else was running",),
    settings=Settings(
        ("cpu",), ("all", "none"), threads=(1,), batch=(1,), pairs=40, duration_s=None, processes=9,
        warm_up=3, streams=0, inter_threads=1, session_options=(), seed=0, block_ms=5.0,
        confidence=0.95, resolution=1.02, margin=1.05,
    ),
    environment={
        "cpu": "A Processor", "cores_usable": 2, "python": "3.11.7", "gpu": None,
        "versions": {"onnxruntime": "1.2.3"},
    },
)  # fmt: skip


def lines_of(result, *, every_row=False):
    return plain_text(bench_blocks(result, every_row=every_row)).splitlines()


def test_the_headline_verdict_comes_first():
    assert lines_of(RESULT)[0] == "b.onnx against a.onnx: no difference measured"


def test_every_comparison_has_its_interval_and_its_null():
    rows = [line for line in lines_of(RESULT) if "0.991 to 1.012" in line]
    assert [row.split("  ")[0] for row in rows] == ["no difference", "faster"]
    assert all("0.990 to 1.010" in row for row in rows)


def test_file_size_and_session_creation_stand_beside_the_latency():
    row = next(line for line in lines_of(RESULT) if line.startswith("b.onnx  "))
    assert row.endswith("1.2 KB")
    assert "12.3" in row


def test_doubts_and_the_environment_are_told():
    text = "\n".join(lines_of(RESULT))
    assert "note: something else was running" in text
    assert lines_of(RESULT)[-1] == (
        "measured on A Processor, 2 cores, onnxruntime 1.2.3 (Python 3.11.7), "
        "1 thread, batch 1, 40 pairs, 1 process, seed 0"
    )


def test_one_model_alone_has_figures_and_no_verdict():
    alone = replace(RESULT, comparisons=(), isolated=(ISOLATED,))
    text = "\n".join(lines_of(alone))
    assert "0.500" in text
    assert "verdict" not in text


@pytest.mark.parametrize("every_row", [False, True])
def test_operator_times_are_shown_when_asked_for(every_row):
    assert any("Conv" in line for line in lines_of(RESULT, every_row=every_row)) is every_row


def test_what_tells_rows_apart_is_told_and_a_runtime_that_does_not_load_is_a_row():
    old, new = (replace(COMPARISON, runtime=f"onnxruntime {v}") for v in ("1.17.3", "1.22.1"))
    failed = Failed(
        model="b.onnx",
        provider="cpu",
        level="all",
        runtime="onnxruntime 1.20.1",
        sentence="onnxruntime refuses it",
    )
    lines = lines_of(replace(RESULT, comparisons=(old, new), failed=(failed,)))
    assert lines[0] == "b.onnx against a.onnx (onnxruntime 1.17.3): no difference measured"
    assert lines[1] == "b.onnx against a.onnx (onnxruntime 1.22.1): no difference measured"
    row = next(line for line in lines if "refuses it" in line)
    assert row.split("  ")[0] == "b.onnx"
    assert "cpu, all, onnxruntime 1.20.1" in row
    assert not replace(RESULT, failed=(failed,)).is_conclusive


def test_batches_and_threads_are_told_where_there_are_several():
    sweep = replace(RESULT.settings, threads=(1, 2))
    rows = (ISOLATED, replace(ISOLATED, batch=8, p99_ms=0.9, runs_per_s=1234.4))
    text = "\n".join(lines_of(replace(RESULT, isolated=rows, settings=sweep)))
    assert "cpu, all, batch 8, 1 thread" in text
    assert "p99 ms" in text
    assert "1234" not in text
    streams = replace(RESULT, isolated=rows, settings=replace(sweep, streams=2))
    assert "1234" in "\n".join(lines_of(streams))
