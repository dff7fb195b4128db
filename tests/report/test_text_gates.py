"""What was to hold: exit codes, and what machines show of it."""

from __future__ import annotations

import csv
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from bnfold.bench.rows import Failed, Interval
from bnfold.report.bench_table import COLUMNS, csv_text
from bnfold.report.gates import Gate, speed_gates, worst
from bnfold.report.github import github_annotations
from bnfold.report.junit import junit_xml
from bnfold.report.sections import Findings
from tests.report.test_text_bench import COMPARISON, RESULT

SOUND, WILD = Interval(1.0, 0.99, 1.01), Interval(1.3, 1.2, 1.4)


def timed(low: float, high: float, *, null: Interval = SOUND, failed=()):
    row = replace(COMPARISON, ratio=Interval((low + high) / 2, low, high), null=null)
    return replace(RESULT, comparisons=(row,), failed=failed)


@pytest.mark.parametrize(
    ("low", "high", "null", "holds"),
    [
        (1.20, 1.40, SOUND, True),
        (0.97, 1.10, SOUND, True),
        (0.80, 0.90, SOUND, False),
        (0.90, 1.00, SOUND, None),
        (0.80, 0.90, WILD, None),
    ],
)
def test_a_limit_on_time_holds_fails_or_cannot_be_said_by_the_whole_interval(
    low, high, null, holds
):
    """A ratio is the baseline's time over the model's: 0.90 is 1.11 times as slow."""
    (gate,) = speed_gates(timed(low, high, null=null), 1.05)
    assert gate.holds is holds
    assert gate.exit_code == {True: 0, False: 1, None: 3}[holds]


def test_a_model_that_does_not_load_fails_where_the_baseline_does():
    both = [Failed(model=name, provider="cpu", level="all", sentence="refused") for name in "ab"]
    a, b = (replace(one, model=f"{one.model}.onnx") for one in both)
    assert [gate.holds for gate in speed_gates(timed(1.2, 1.3, failed=(b,)), 1.05)] == [True, False]
    found = speed_gates(timed(1.2, 1.3, failed=(a, b)), 1.05)
    assert [gate.holds for gate in found] == [True, None, None]
    elsewhere = replace(b, level="none")
    assert len([*speed_gates(timed(1.2, 1.3, failed=(elsewhere,)), 1.05)]) == 1


def test_what_is_wrong_counts_before_what_cannot_be_said():
    assert [worst(codes) for codes in ([], [0, 0], [0, 3], [3, 1, 0])] == [0, 0, 3, 1]


def test_gates_are_test_cases_and_annotations():
    gates = [Gate("one", True, "fine"), Gate("two", False, "50% off\nhere"), Gate("3", None, "?")]
    suite = ET.fromstring(junit_xml(Findings("bnfold fold: net.onnx", gates=gates)))
    assert suite.get("name") == "bnfold fold net.onnx"
    assert [suite.get(key) for key in ("tests", "failures", "errors")] == ["3", "1", "1"]
    assert github_annotations(None, gates) == [
        "::error title=bnfold two::50%25 off%0Ahere",
        "::warning title=bnfold 3::?",
    ]


def test_a_measurement_as_csv_has_a_row_for_each_thing_that_was_found():
    failed = Failed(
        model="b.onnx",
        provider="cpu",
        level="all",
        batch=8,
        runtime="onnxruntime 1.20.1",
        sentence="refused, it says",
    )
    rows = list(csv.DictReader(csv_text(replace(RESULT, failed=(failed,))).splitlines()))
    assert [row["kind"] for row in rows] == ["pairs", "pairs", "alone", "alone", "failed"]
    assert tuple(rows[0]) == COLUMNS
    assert float(rows[0]["ratio"]) == 1.004
    assert (rows[0]["model"], rows[0]["baseline"]) == ("b.onnx", "a.onnx")
    assert rows[2]["median_ms"] == "0.5"
    assert (rows[4]["sentence"], rows[4]["batch"]) == ("refused, it says", "8")
