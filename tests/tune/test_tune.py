"""What is faster on a target is kept and nothing else, told by fake measurements; one is real."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import onnx
import onnx.parser
import pytest

import bnfold
from bnfold.bench.rows import Interval
from bnfold.bench.statistics import judge
from bnfold.errors import DataError, UsageError
from bnfold.tune import api, tuning
from tests.report.test_text_bench import COMPARISON

NULL = Interval(1.0, 0.99, 1.01)
HEAD = '<ir_version: 8, opset_import: ["" : 17]>\n'


def stage(i: int, c_in: str) -> str:
    """A padded convolution behind a batch norm and a Relu, which has a shift: a constant map."""
    return (
        f"b{i} = BatchNormalization ({c_in}, s{i}, t{i}, m{i}, v{i})\n"
        f"c{i} = Conv <pads = [1, 1, 1, 1]> (b{i}, w{i})\n r{i} = Relu (c{i})\n"
    )


def network(path, stages: int):
    """x, Relu, then stages: no batch norm but the first folds without a price."""
    body = "r0 = Relu (x)\n" + "".join(stage(i + 1, f"r{i}") for i in range(stages))
    text = f"{HEAD}g (float[N,3,6,6] x) => (float[N,3,6,6] r{stages}) {{ {body} }}"
    return filled(onnx.parser.parse_model(text), path, stages)


def filled(model, path, stages: int):
    rng = np.random.default_rng(0)
    for i in range(1, stages + 1):
        arrays = {"s": rng.uniform(0.5, 2, 3), "t": rng.uniform(0.5, 1, 3), "m": np.zeros(3),
                  "v": np.ones(3), "w": rng.standard_normal((3, 3, 3, 3))}  # fmt: skip
        for key, array in arrays.items():
            tensor = onnx.numpy_helper.from_array(array.astype(np.float32), f"{key}{i}")
            model.graph.initializer.append(tensor)
    onnx.save(model, path)
    return path


def norms(path) -> int:
    nodes = onnx.load(path).graph.node
    return sum(node.op_type == "BatchNormalization" for node in nodes)


@pytest.fixture
def measured(monkeypatch):
    """measured(ratio_of): every measurement is what `ratio_of(norms without, with)` says."""

    def install(ratio_of, *, snr=None):
        calls = []

        def bench(paths, **_):
            before, after = map(norms, paths)
            ratio = ratio_of(before, after)
            calls.append((before, after))
            interval = Interval(ratio, ratio * 0.99, ratio * 1.01)
            verdict, reason = judge(interval, NULL)
            row = replace(COMPARISON, ratio=interval, verdict=verdict, reason=reason)
            int8 = [SimpleNamespace(snr_db=db) for db in snr or ()]
            return SimpleNamespace(comparisons=(row,), failed=(), int8=int8)

        monkeypatch.setattr(api, "bench", bench)
        return calls

    return install


def test_nothing_is_kept_where_nothing_is_faster(tmp_path, measured):
    calls = measured(lambda before, after: 1.0)
    model = network(tmp_path / "net.onnx", 2)
    free = bnfold.fold(model)
    assert free.ledger.batch_norms_after == 2
    found = bnfold.tune(model)
    assert found.ledger.batch_norms_after == 2
    assert {trial.verdict for trial in found.ledger.tried} == {"no difference"}
    assert not any(trial.is_kept for trial in found.ledger.tried)
    assert found.to_proto().SerializeToString() == free.to_proto().SerializeToString()
    assert found.ledger.decisions == free.ledger.decisions, "what is kept has its true reason"
    assert found.ledger.allowances == free.ledger.allowances
    assert calls


def test_what_is_faster_is_kept_and_told_with_ratio_and_interval(tmp_path, measured):
    measured(lambda before, after: 1.3)
    found = bnfold.tune(network(tmp_path / "net.onnx", 2))
    (trial,) = (trial for trial in found.ledger.tried if trial.is_kept)
    assert trial.rewrite == "constant-map"
    assert len(trial.batch_norms) == 2
    assert (trial.ratio, trial.low) == (1.3, 1.3 * 0.99)
    assert found.ledger.batch_norms_after == 0
    json.dumps(found.to_dict(), allow_nan=False)


def test_a_rewrite_that_pays_for_some_is_found_by_halves(tmp_path, measured):
    """All four together are not faster, and the first two are."""
    measured(lambda before, after: 1.3 if (before, after) == (4, 2) else 1.0)
    found = bnfold.tune(network(tmp_path / "net.onnx", 4))
    kept = [trial for trial in found.ledger.tried if trial.is_kept]
    assert [len(trial.batch_norms) for trial in kept] == [2]
    assert found.ledger.batch_norms_after == 2
    assert [d.name or d.output for d in found.ledger.batch_norms if d.is_folded] == list(
        kept[0].batch_norms
    )


def foldable(path, stages: int):
    """x, then convolutions with a batch norm behind: all fold, and nothing has a price."""
    body = "".join(
        f"c{i} = Conv (r{i - 1}, w{i})\n b{i} = BatchNormalization (c{i}, s{i}, t{i}, m{i}, v{i})\n"
        f"r{i} = Relu (b{i})\n"
        for i in range(1, stages + 1)
    )
    side = 6 - 2 * stages
    text = f"{HEAD}g (float[N,3,6,6] r0) => (float[N,3,{side},{side}] r{stages}) {{ {body} }}"
    return filled(onnx.parser.parse_model(text), path, stages)


@pytest.mark.parametrize(("ratio", "left"), [(1.2, 0), (1.0, 0), (0.96, 2), (0.9, 2)])
def test_what_is_free_is_kept_unless_it_is_slower(tmp_path, measured, ratio, left):
    measured(lambda before, after: ratio)
    model = foldable(tmp_path / "net.onnx", 2)
    found = bnfold.tune(model)
    assert found.ledger.batch_norms_after == left
    first = found.ledger.tried[0]
    assert (first.rewrite, first.ratio, first.is_kept) == ("free", ratio, left == 0)
    assert len(first.batch_norms) == 2
    reasons = [refusal.sentence for d in found.ledger.decisions for refusal in d.refusals]
    assert reasons == ["the model was not faster on the target without it"] * left
    if left == 0:
        free = bnfold.fold(model).to_proto()
        assert found.to_proto().SerializeToString() == free.SerializeToString()


@pytest.mark.parametrize(("ratio", "left"), [(1.2, 1), (1.0, 2)])
def test_of_what_is_slower_as_a_whole_a_half_is_kept_where_it_pays(tmp_path, measured, ratio, left):
    measured(lambda before, after: 0.9 if after == 0 else ratio)
    found = bnfold.tune(foldable(tmp_path / "net.onnx", 2))
    assert found.ledger.batch_norms_after == left
    assert [trial.is_kept for trial in found.ledger.tried] == [False, ratio > 1, False]


def test_what_is_free_is_folded_where_there_is_no_time_to_measure(tmp_path, measured, monkeypatch):
    now = iter(range(0, 10_000, 100))
    monkeypatch.setattr(tuning.time, "monotonic", lambda: next(now))
    measured(lambda before, after: 0.5)
    found = bnfold.tune(foldable(tmp_path / "net.onnx", 2), budget=50)
    assert [trial.verdict for trial in found.ledger.tried] == ["not tried"]
    assert found.ledger.batch_norms_after == 0


@pytest.mark.parametrize(("fails", "left"), [("original", 0), ("candidate", 1)])
def test_a_runtime_that_loads_one_of_both_decides(tmp_path, monkeypatch, fails, left):
    def bench(paths, **_):
        models = [
            SimpleNamespace(name="without", role="baseline"),
            SimpleNamespace(name="with", role="candidate"),
        ]
        name = "with" if fails == "candidate" else "without"
        failed = [SimpleNamespace(model=name, sentence="it does not load")]
        return SimpleNamespace(comparisons=(), failed=failed, models=models, int8=())

    monkeypatch.setattr(api, "bench", bench)
    found = bnfold.tune(foldable(tmp_path / "net.onnx", 1))
    assert found.ledger.batch_norms_after == left
    assert "it does not load" in found.ledger.tried[0].reason


def test_in_int8_what_loses_accuracy_is_not_kept(tmp_path, measured):
    measured(lambda before, after: 1.3, snr=(30.0, 20.0))
    data = {"x": np.ones((2, 3, 6, 6), np.float32)}
    found = bnfold.tune(network(tmp_path / "net.onnx", 1), target="int8", int8=data)
    assert found.ledger.batch_norms_after == 1
    assert "in int8 it is 10.0 dB further" in found.ledger.tried[0].reason


def test_a_tuning_that_was_stopped_goes_on_without_measuring_again(tmp_path, measured):
    calls = measured(lambda before, after: 1.0)
    model, state = network(tmp_path / "net.onnx", 2), tmp_path / "state.json"
    first = bnfold.tune(model, state=state)
    many = len(calls)
    again = bnfold.tune(model, state=state)
    assert len(calls) == many
    assert again.ledger == first.ledger
    with pytest.raises(DataError, match="it is of another model, target or setting"):
        bnfold.tune(model, state=state, threads=2)
    state.write_text("{}")
    with pytest.raises(DataError, match="this is no state of a tuning"):
        bnfold.tune(model, state=state)


def test_what_there_is_no_time_for_is_said(tmp_path, measured, monkeypatch):
    now = iter(range(0, 10_000, 100))
    monkeypatch.setattr(tuning.time, "monotonic", lambda: next(now))
    measured(lambda before, after: 1.0)
    found = bnfold.tune(network(tmp_path / "net.onnx", 2), budget=250)
    assert found.ledger.tried[-1].verdict == "not tried"
    assert found.ledger.tried[-1].reason == "the time was over"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"target": "tpu"}, "unknown target 'tpu': choose from cpu, cuda, int8"),
        ({"target": "int8"}, "the target int8 needs calibration data"),
        ({"int8": {"x": np.ones(1)}}, "no other target takes it"),
        ({"budget": 0}, "the budget must be a number of seconds above 0, not 0"),
        ({"python": "no/python"}, "no/python: there is no such file"),
    ],
)
def test_a_tuning_that_makes_no_sense_is_refused(tmp_path, given, words):
    with pytest.raises(UsageError, match=words):
        bnfold.tune(network(tmp_path / "net.onnx", 1), **given)


@pytest.mark.slow
def test_a_real_tuning_keeps_only_what_its_measurement_calls_faster(tmp_path):
    found = bnfold.tune(network(tmp_path / "net.onnx", 1), pairs=5)
    assert found.ledger.tried
    assert all(trial.is_kept == (trial.verdict == "faster") for trial in found.ledger.tried)
    left = sum(not trial.is_kept for trial in found.ledger.tried[:1])
    assert found.ledger.batch_norms_after == left
