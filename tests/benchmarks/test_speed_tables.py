"""The scripts behind the tables of speed, with measurements that were never made."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest

from benchmarks import cuda, figures, interval, runtimes
from benchmarks.deployed import Row
from benchmarks.kept import kept
from bnfold.bench.records import BenchModel, Runtime
from bnfold.bench.rows import Failed, Interval, Tax
from bnfold.errors import ProviderUnavailableError
from tests.bench_rows import comparison, isolated
from tests.report.test_text_bench import RESULT

OLD, NEW = (f"onnxruntime {v}" for v in ("1.22.1", "1.32.0"))
MODELS = (*RESULT.models, BenchModel("floor", "f.onnx", "floor", 1, "2" * 64))
HALF = Interval(0.5, 0.4, 0.6)


def on(runtime, **more):
    pair = comparison(runtime=runtime, sentence="1.30x faster (1.20 to 1.40)", **more)
    tax = Tax(provider="cpu", level="all", runtime=runtime, candidate="b.onnx", cost=HALF,
              gone=HALF, sentence="")  # fmt: skip
    return pair, replace(pair, candidate="floor", sentence="2.00x faster"), tax


@pytest.fixture
def found():
    """b.onnx against a.onnx on two runtimes, and the floor; the older one loads no original."""
    pair, floor, tax = on(NEW)
    return replace(
        RESULT, models=MODELS, comparisons=(pair, floor), taxes=(tax,),
        failed=(Failed(model="a.onnx", provider="cpu", level="all", runtime=OLD, sentence="no"),),
        runtimes=tuple(
            Runtime(n, f"/{n}/python", "3.11.7", n.split()[1], "2.0") for n in (OLD, NEW)
        ),
    )  # fmt: skip


def test_a_cell_has_the_verdict_and_the_share_of_the_tax_or_what_does_not_load(found):
    assert runtimes.cell(found, NEW) == "1.30x faster (1.20 to 1.40), 50% of the tax"
    assert runtimes.cell(found, OLD) == "does not load: original"


def test_a_table_has_a_column_for_each_version_and_a_row_for_what_failed(found):
    pythons = {"1.22.1": f"/{OLD}/python", "newest": f"/{NEW}/python", "1.17.3": "/not/asked"}
    lines = runtimes.table({"net": found, "odd": "it failed"}, list(pythons), pythons).splitlines()
    assert lines[0] == "| folded against original | 1.22.1 | newest | 1.17.3 |"
    assert lines[2].startswith("| net | does not load: original | 1.30x faster")
    assert lines[2].endswith("|  |")
    assert lines[3] == "| odd | it failed | it failed | it failed |"


def test_the_readme_has_what_was_measured_on_the_older_and_the_newest(found):
    rows = {"net, batch 1": found.to_dict(), "net, batch 1, int8": found.to_dict(), "odd": "no"}
    record = json.loads(json.dumps(rows))
    lines = figures.text_of(record).splitlines()
    assert lines[2].startswith("| net, batch 1 | float32 | does not load: original | 1.30x")
    assert lines[3].startswith("| net, batch 1 | int8 | ")
    assert len(lines) == 6


def test_what_was_measured_once_is_not_measured_again(tmp_path, found):
    calls = []

    def measure():
        calls.append(1)
        return found

    first = kept(tmp_path, "net", {"pairs": 5}, measure)
    assert kept(tmp_path, "net", {"pairs": 5}, measure) == first
    assert len(calls) == 1
    kept(tmp_path, "net", {"pairs": 40}, measure)
    kept(tmp_path, "other", {"pairs": 5}, measure)
    assert len(calls) == 3


@pytest.fixture
def cuda_script(monkeypatch, tmp_path):
    """cuda_script(bench): the script on one network, where `bench` measures; the output folder."""

    def run(bench):
        ledger = SimpleNamespace(batch_norms_before=3, batch_norms_after=1)
        folded = SimpleNamespace(ledger=ledger, save=lambda path: None)
        monkeypatch.setattr(cuda.bnfold, "fold", lambda path: folded)
        monkeypatch.setattr(cuda.bnfold, "bench", bench)
        monkeypatch.setattr(cuda, "open_sizes", lambda path: {})
        monkeypatch.setattr(cuda, "rows", lambda folder: [Row("net", 1, lambda place: place)])
        monkeypatch.setattr(cuda, "_HERE", tmp_path)
        monkeypatch.setattr(sys, "argv", ["cuda", "--folder", str(tmp_path / "kept")])
        return cuda.main()

    return run


def test_on_a_gpu_both_ways_to_launch_are_measured_over_the_batches(cuda_script, tmp_path):
    asked = []

    def bench(models, **given):
        asked.append(given)
        on_gpu = [
            isolated(provider="cuda", model=name, batch=batch, device_mib=mib)
            for batch in cuda.BATCHES
            for name, mib in (("a.onnx", 300.0), ("b.onnx", 280.0), ("floor", 270.0))
        ]
        pairs = [
            comparison(provider="cuda", batch=batch, sentence="1.10x faster")
            for batch in cuda.BATCHES
        ]
        notes = ("cuda: use_tf32 1", "something else", "b.onnx: not all of it runs on cuda: 1 TopK")
        return replace(
            RESULT, models=MODELS, isolated=tuple(on_gpu), comparisons=tuple(pairs), notes=notes,
            settings=replace(RESULT.settings, providers=("cuda",), levels=("all",)),
        )  # fmt: skip

    assert cuda_script(bench) == 0
    assert [given["cuda_graph"] for given in asked] == [False, True]
    assert all(given["providers"] == "cuda" and given["batch"] == cuda.BATCHES for given in asked)
    page = (tmp_path / "cuda.md").read_text()
    assert "| net | kernels | 3 to 1 | 1.10x faster; 300 to 280 MiB |" in page
    assert "| net | graph | 3 to 1 |" in page
    assert "net: cuda: use_tf32 1" in page
    assert "1 TopK" in page
    assert "something else" not in page
    assert set(json.loads((tmp_path / "cuda.json").read_text())) == {
        "net, kernel by kernel", "net, as one graph",
    }  # fmt: skip


def test_without_cuda_nothing_is_measured_or_written(cuda_script, tmp_path, capsys):
    def bench(models, **given):
        raise ProviderUnavailableError("provider 'cuda' is not available")

    assert cuda_script(bench) == 4
    assert "nothing was measured" in capsys.readouterr().err
    assert not (tmp_path / "cuda.md").exists()


def test_an_interval_is_said_to_hold_the_truth_as_often_as_it_does():
    intervals = [Interval(1.0, 0.9, 1.1), Interval(1.0, 1.05, 1.2), Interval(1.0, 0.8, 1.0)]
    assert interval.held(intervals, 1.0).startswith("2 of 3, width ")
