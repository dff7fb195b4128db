"""A measurement beside an earlier one: what counts as a change, and what is never compared."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

import bnfold
from bnfold.bench.records import BenchInput, Runtime
from bnfold.bench.rows import Interval
from bnfold.bench.since import Earlier, earlier, missing, obstacles, since
from bnfold.errors import DataError
from bnfold.report.gates import since_gates
from tests.bench_rows import comparison, isolated
from tests.report.test_text_bench import RESULT

HERE = (Runtime("onnxruntime 1.2.3", "/usr/bin/python", "3.11.7", "1.2.3", "2.0.0"),)
EVEN = Interval(1.0, 0.99, 1.01)
INPUT = BenchInput("x", "float32", (1, 3), "random")


def measured(ms, ratio=EVEN, **changes):
    """a.onnx and b.onnx, of whose processes the medians are these."""
    rows = tuple(
        isolated(model=name, median_ms=sorted(ms)[len(ms) // 2], medians_ms=tuple(ms))
        for name in ("a.onnx", "b.onnx")
    )
    now = replace(
        RESULT, isolated=rows, comparisons=(comparison(ratio=ratio),), runtimes=HERE,
        inputs=(INPUT,),
    )  # fmt: skip
    return replace(now, **changes)


def then(*args, **changes):
    return Earlier("old.json", measured(*args, **changes))


@pytest.mark.parametrize(
    ("now", "verdict"),
    [
        ((0.99, 1.0, 1.01), "no difference"),
        ((1.2, 1.21, 1.22), "slower"),
        ((0.8, 0.81, 0.82), "faster"),
        ((0.9, 1.1, 1.3), "inconclusive"),
        ((1.05, 1.06, 1.07), "inconclusive"),
    ],
)
def test_a_model_alone_has_changed_where_all_processes_say_so(now, verdict):
    rows = since(then((1.0, 1.0, 1.02)), measured(now))
    assert [row.what for row in rows] == ["alone", "alone", "pairs"]
    assert [row.verdict for row in rows] == [verdict, verdict, "no difference"]
    assert rows[0].change.estimate == pytest.approx(1.0 / sorted(now)[1])


def test_a_ratio_that_has_grown_means_that_the_candidate_is_faster_now():
    even, twice = Interval(1.0, 0.99, 1.01), Interval(2.0, 1.9, 2.1)
    row = since(then((1.0,), even), measured((1.0,), twice))[-1]
    assert (row.what, row.verdict) == ("pairs", "faster")
    assert (row.change.low, row.change.high) == pytest.approx((1.9 / 1.01, 2.1 / 0.99))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"environment": {**RESULT.environment, "cpu": "Another"}},
         r"of another processor \(Another, here A Processor\)"),
        ({"environment": {**RESULT.environment, "cores_usable": 64}}, "another number of cores"),
        ({"runtimes": (replace(HERE[0], onnxruntime="1.0"),)},
         r"another runtime \(onnxruntime 1\.0, Python 3\.11\.7, here onnxruntime 1\.2\.3"),
        ({"settings": replace(RESULT.settings, session_options=(("a.b", "1"),))},
         "another set of session options"),
    ],
)  # fmt: skip
def test_another_machine_or_runtime_is_told_and_not_compared(changes, words):
    before, now = then((1.0,), **changes), measured((1.0,))
    assert since(before, now) == ()
    (sentence,) = obstacles(before, now)
    assert re.search(words, sentence)
    gates = list(since_gates(now, 1.05, "old.json"))
    assert [gate.holds for gate in gates] == [None, None]


def test_other_inputs_are_no_baseline():
    before, now = then((1.0,), inputs=(replace(INPUT, shape=(1, 9)),)), measured((1.0,))
    assert since(before, now) == ()
    assert list(missing(before, now)) == [
        f"old.json has nothing of {name} on these inputs in this place"
        for name in ("a.onnx", "b.onnx")
    ]


@pytest.mark.parametrize(
    ("now", "holds"), [((1.0, 1.0), True), ((1.2, 1.3), False), ((1.0, 1.2), None)]
)
def test_a_gate_on_time_is_one_on_the_earlier_record_too(now, holds):
    found = measured(now)
    held = replace(found, since=since(then((1.0,)), found))
    assert {gate.holds for gate in since_gates(held, 1.1, "old.json")} == {holds}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "no such file"),
        ("{", "no JSON that can be read"),
        ("[]", "no record of a measurement"),
        (json.dumps({"command": "fold", "result": {}}), "no record of a measurement"),
        (json.dumps({"record": "bench", "schema_version": 0}), "another version"),
        (json.dumps({"record": "bench", "schema_version": 1}), "it is no record of this version"),
    ],
)
def test_what_is_no_record_is_refused(tmp_path, text, words):
    if text is not None:
        (tmp_path / "old.json").write_text(text)
    with pytest.raises(DataError, match=words):
        earlier(tmp_path / "old.json")


@pytest.mark.slow
def test_a_real_measurement_is_held_against_its_own_record(model_file, tmp_path):
    model = model_file("g (float[N,2] x) => (float[N,2] y) { y = Sin (x) }")
    quick = {"levels": "none", "pairs": 5, "processes": 1}
    first = bnfold.bench(model, **quick)
    (tmp_path / "old.json").write_text(json.dumps(first.to_dict()))
    again = bnfold.bench(model, baseline=tmp_path / "old.json", **quick)
    (row,) = again.since
    assert row.then.estimate == first.isolated[0].median_ms
    assert row.now.estimate == again.isolated[0].median_ms
    assert json.loads(json.dumps(again.to_dict())) == again.to_dict()
