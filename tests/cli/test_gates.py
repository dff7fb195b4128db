"""Gates for CI: exit codes, JUnit, annotations, and a summary where GitHub wants one."""

from __future__ import annotations

import json
from xml.etree import ElementTree as ET

import onnx
import onnx.parser
import pytest

QUICK = ["--pairs", "5", "--level", "none", "--processes", "1"]


def sines(path, count):
    steps = "".join(f"t{i + 1} = Sin(t{i}) " for i in range(count))
    text = f"g (float[N,4096] t0) => (float[N,4096] t{count}) {{ {steps} }}"
    head = '<ir_version: 8, opset_import: ["" : 17]>'
    onnx.save(onnx.parser.parse_model(head + text), path)
    return path


@pytest.mark.parametrize(
    ("command", "more"),
    [("fold", ["--dry-run"]), ("fold", ["-o", "out.onnx"]), ("inspect", [])],
)
def test_a_batch_norm_that_is_left_behind_fails_the_gate(place, stuck, model, command, more):
    """A rectifier stops it."""
    result = place.call(command, stuck, *more, "--leaves", "0", "--junit", "gate.xml")
    assert result.exit_code == 1
    assert "gate --leaves 0: does not hold: 1 batch norm left, 0 may be" in result.stdout
    suite = ET.parse(place / "gate.xml").getroot()
    assert [suite.get(key) for key in ("tests", "failures", "skipped")] == ["3", "1", "1"]
    assert [case.get("name") for case in suite] == ["fold", "'bn'", "--leaves 0"]
    assert "rectifier" in suite.find("testcase/skipped").get("message")
    assert place.call(command, stuck, *more, "--leaves", "1").exit_code == 0
    assert place.call(command, model, *more, "--leaves", "0").exit_code == 0
    assert place.call("-q", command, stuck, *more, "--leaves", "0").stderr.count("\n") == 1


def test_of_several_models_each_has_its_gate(place, stuck, model):
    result = place.call("inspect", model, stuck, "--leaves", "0", "--json", "all.json")
    assert result.exit_code == 1
    assert f"holds: {model}: no batch norm left" in result.stdout
    assert f"does not hold: {stuck}: 1 batch norm left" in result.stdout
    assert json.loads((place / "all.json").read_text())["settings"]["leaves"] == 0


@pytest.mark.slow
def test_a_slower_model_fails_a_faster_one_passes(place):
    """Forty times the work: a busy machine cannot hide it."""
    fast, slow = sines(place / "fast.onnx", 1), sines(place / "slow.onnx", 40)
    gate = ["--fail-if-slower", "1.05", "--junit", "gate.xml"]
    result = place.call("bench", fast, slow, *QUICK, *gate)
    assert result.exit_code == 1
    assert "gate --fail-if-slower 1.05: does not hold: slow.onnx" in result.stdout
    assert ET.parse(place / "gate.xml").getroot().get("failures") == "1"
    assert place.call("bench", slow, fast, *QUICK, *gate).exit_code == 0


@pytest.mark.parametrize("limit", ["0.9", "nan", "inf", "fast", "-5%", "%"])
def test_a_gate_that_is_no_number_is_a_usage_error(place, model, limit):
    result = place.call("bench", model, model, "--fail-if-slower", limit)
    assert result.exit_code == 2
    assert f"--fail-if-slower: '{limit}' is no limit; write 1.05, or 5%" in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["bench", "good.onnx", "--fail-if-slower", "2"], "name two models"),
        (["run", "good.onnx", "-o", "r", "--no-bench", "--fail-if-slower", "2"], "leaves it out"),
        (["fold", "good.onnx", "--dry-run", "--leaves", "few"], "'few' is not a valid int"),
        (["inspect", "good.onnx", "--leaves", "-1"], "-1 is not in the range"),
    ],
)
def test_a_gate_without_what_it_is_about_is_refused(place, model, args, words):
    result = place.call(*args)
    assert result.exit_code == 2
    assert words in result.stderr


def test_run_leaves_the_timing_out_and_tells_ci(place, stuck, monkeypatch):
    summary = place / "summary.md"
    summary.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    result = place.call(
        "run", stuck, "-o", "results", "--no-bench", "--leaves", "0", "--junit", "run.xml"
    )
    assert result.exit_code == 1
    assert "-- bench" not in result.stdout
    assert (place / "results" / "folded.onnx").exists()
    assert "was not written" not in result.stdout
    assert "::error title=bnfold --leaves 0::1 batch norm left, 0 may be" in result.stderr
    told = summary.read_text()
    assert told.startswith("before\n<!-- bnfold -->")
    assert "does not hold" in told
    suite = ET.parse(place / "run.xml").getroot()
    groups = [*dict.fromkeys(case.get("classname") for case in suite)]
    assert groups == ["bnfold.fold", "bnfold.verify", "bnfold.verify.outputs", "bnfold.gates"]
    record = json.loads((place / "results" / "report.json").read_text())
    assert set(record["result"]) == {"fold", "verify"}
    assert place.call("report", place / "results" / "report.json").exit_code == 0


def test_fold_verify_is_a_suite_and_a_summary(place, model, monkeypatch):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(place / "summary.md"))
    result = place.call("fold", model, "-o", "out.onnx", "--verify", "--junit", "fold.xml")
    assert result.exit_code == 0
    suite = ET.parse(place / "fold.xml").getroot()
    assert suite.get("failures") == "0"
    assert "verdict" in [case.get("name") for case in suite]
    assert "equivalent" in (place / "summary.md").read_text()


@pytest.mark.parametrize("command", ["fold", "inspect", "bench", "run"])
def test_an_input_error_is_an_error_in_the_junit_report(place, command):
    (place / "bad.onnx").write_text("text")
    more = {"fold": ["-o", "out.onnx"], "run": ["-o", "results"]}.get(command, [])
    result = place.call(command, "bad.onnx", *more, "--junit", "bad.xml")
    assert result.exit_code == 2
    (case,) = ET.parse(place / "bad.xml").getroot()
    assert "bad.onnx" in case.find("error").get("message")


def test_a_table_and_markdown_are_written_and_nothing_else_is_replaced(place, model):
    files = ["--csv", "b.csv", "--markdown", "b.md"]
    for _ in range(2):  # its own may be replaced
        assert place.call("bench", model, *QUICK, *files).exit_code == 0
    assert (place / "b.csv").read_text().startswith("kind,model,")
    assert "| model |" in (place / "b.md").read_text()
    (place / "mine.csv").write_text("a,b\n")
    result = place.call("bench", model, *QUICK, "--csv", "mine.csv")
    assert result.exit_code == 2
    assert (place / "mine.csv").read_text() == "a,b\n"


def test_a_fold_is_for_a_release_or_says_why_it_is_not(place, model):
    found = onnx.load(model)
    found.ir_version = 10
    onnx.save(found, model)
    result = place.call("fold", model, "-o", "out.onnx", "--for", "onnxruntime==1.17")
    assert result.exit_code == 0
    assert "IR version 9 (it was 10) and opset 17, which onnxruntime 1.17 loads" in result.stdout
    assert onnx.load(place / "out.onnx").ir_version == 9
    found.opset_import[0].version = 21
    onnx.save(found, model)
    refused = place.call("fold", model, "-o", "no.onnx", "--for", "onnxruntime==1.17")
    assert refused.exit_code == 2
    assert "it has opset 21, and onnxruntime 1.17 loads 20 at most" in refused.stderr
    assert not (place / "no.onnx").exists()


@pytest.mark.slow
def test_an_earlier_record_is_a_baseline_and_a_gate(place, model):
    """One model is enough then; of another machine, nothing is claimed."""
    assert place.call("bench", model, *QUICK, "--json", "old.json").exit_code in (0, 3)
    again = ["bench", model, *QUICK, "--baseline", "old.json", "--fail-if-slower", "50"]
    result = place.call(*again)
    assert "since the baseline" in result.stdout
    assert "gate --fail-if-slower 50 since old.json: holds" in result.stdout
    assert result.exit_code == 0
    record = json.loads((place / "old.json").read_text())
    record["result"]["environment"]["cpu"] = "Another"
    (place / "old.json").write_text(json.dumps(record))
    result = place.call(*again)
    assert "note: old.json is of another processor (Another, here " in result.stdout
    assert result.exit_code == 3
    refused = place.call("bench", model, *QUICK, "--fail-if-slower", "5%")
    assert "name two models, or an earlier record with --baseline" in refused.stderr


def test_each_batch_norm_is_a_case_whose_name_stays_whatever_becomes_of_it(place, model, stuck):
    """CI systems follow a test by its name; one that stays is skipped, not failed."""
    place.call("fold", model, "--dry-run", "--junit", "one.xml")
    place.call("fold", stuck, "--dry-run", "--junit", "two.xml")
    folded, kept = (ET.parse(place / name).getroot() for name in ("one.xml", "two.xml"))
    assert [case.get("name") for case in folded] == [case.get("name") for case in kept]
    assert (folded.get("skipped"), kept.get("skipped")) == ("0", "1")


def test_each_timing_is_a_case(place, model):
    assert place.call("bench", model, model, *QUICK, "--junit", "b.xml").exit_code in (0, 3)
    suite = ET.parse(place / "b.xml").getroot()
    assert suite.get("failures") == "0"
    assert {case.get("classname") for case in suite} == {"bnfold.bench"}
    assert all("cpu, " in case.get("name") for case in suite)
