"""`bnfold report`: a record shown again; `--html` of every command; several models inspected."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET

import onnx
import pytest

from tests.cli.conftest import GOOD, parsed

QUICK = ["--pairs", "5", "--level", "all", "--processes", "1"]
COMMANDS = {
    "inspect": ["inspect", "good.onnx"],
    "several": ["inspect", "good.onnx", "stuck.onnx"],
    "fold": ["fold", "good.onnx", "-o", "folded.onnx", "--verify"],
    "verify": ["verify", "good.onnx", "good.onnx"],
    "bench": ["bench", "good.onnx", "good.onnx", *QUICK],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_record_gives_the_text_and_the_page_of_its_command(place, model, stuck, name):
    args = [*COMMANDS[name], "--json", "r.json", "--html", "r.html"]
    first = place.call(*args)
    assert first.exit_code in {0, 3}, first.stderr
    again = place.call("report", "r.json", "--html", "again.html")
    assert again.exit_code == 0, again.stderr
    of_files = ("wrote ", "model: ", "  inputs: ")
    own = {line for line in first.stdout.splitlines() if line and not line.startswith(of_files)}
    if name == "several":
        own = {line for line in own if not line.startswith(("-- ", "model", "good", "stuck"))}
    assert own <= set(again.stdout.splitlines())
    assert "bottom line: " in again.stdout
    assert (place / "again.html").read_text() == (place / "r.html").read_text()


def test_the_page_of_a_run_is_made_again_byte_for_byte(place, model):
    result = place.call("run", model, "-o", "out", *QUICK)
    (last,) = result.stdout.strip().splitlines()[-1:]
    assert last.startswith("bottom line: 1 of 1 batch norm folded; equivalent: ")
    assert "folded.onnx against good.onnx: " in last
    assert place.call("report", "out/report.json", "--html", "again.html").exit_code == 0
    assert (place / "again.html").read_bytes() == (place / "out" / "report.html").read_bytes()


def test_a_record_as_markdown_and_as_junit(place, model):
    place.call("verify", "good.onnx", "good.onnx", "--json", "r.json", "--junit", "v.xml")
    args = ["report", "r.json", "--markdown", "r.md", "--junit", "r.xml"]
    assert place.call(*args).exit_code == 0
    assert (place / "r.xml").read_text() == (place / "v.xml").read_text()
    assert ET.parse(place / "r.xml").getroot().get("failures") == "0"
    assert "| output | level | original |" in (place / "r.md").read_text()
    assert place.call(*args).exit_code == 0  # its own reports may be replaced


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is empty"),
        ("[1, 2]", "no record of bnfold"),
        ('{"tool": "x", "command": "fold", "result": {}}', "no record of bnfold"),
        ('{"tool": {"name": "bnfold"}, "command": "fold", "result": {}}', "has version None"),
        (
            '{"schema_version": 1, "tool": {"name": "bnfold"}, "command": "verify", "result": {}}',
            "verify has no 'verdict'",
        ),
        (
            '{"schema_version": 1, "tool": {"name": "bnfold"}, "command": "fold", "result": '
            '{"decisions": [{"name": 7}]}}',
            "fold.decisions[0].name is 7",
        ),
        ('{"schema_version": 1, "tool": {"name": "bnfold"}, "command": "x", "result": {}}', "'x'"),
    ],
)
def test_what_is_no_record_gets_one_sentence(place, content, said):
    (place / "r.json").write_text(content)
    result = place.call("report", "r.json", "--html", "r.html")
    assert result.exit_code == 2
    assert result.stderr.startswith("bnfold: r.json: ")
    assert said in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (place / "r.html").exists()


def test_junit_of_a_record_is_that_of_the_command_and_refused_where_nothing_was_judged(
    place, model, stuck
):
    place.call("inspect", model, stuck, "--json", "r.json", "--junit", "i.xml")
    assert place.call("report", "r.json", "--junit", "j.xml").exit_code == 0
    assert (place / "i.xml").read_bytes() == (place / "j.xml").read_bytes()
    record = json.loads((place / "r.json").read_text())
    record["result"] = {"models": [], "failed": []}
    (place / "none.json").write_text(json.dumps(record))
    said = place.call("report", "none.json", "--junit", "k.xml").stderr
    assert "--junit is for folds, verdicts and timings, and none.json has none" in said


def test_several_models_are_told_of_under_their_names_and_in_a_table(place, model, stuck):
    result = place.call("inspect", "good.onnx", "stuck.onnx", "--json", "r.json")
    titles = [line for line in result.stdout.splitlines() if line.startswith("-- ")]
    assert titles == ["-- good.onnx", "-- stuck.onnx"]
    rows = [line.split() for line in result.stdout.splitlines()[-2:]]
    assert rows == [["good.onnx", "1", "0", "0"], ["stuck.onnx", "1", "1", "0"]]
    record = json.loads((place / "r.json").read_text())
    assert [entry["path"] for entry in record["result"]["models"]] == ["good.onnx", "stuck.onnx"]
    assert [entry["path"] for entry in record["inputs"]] == ["good.onnx", "stuck.onnx"]


def test_a_model_that_cannot_be_read_is_told_of_and_the_others_all_the_same(place, model, stuck):
    (place / "bad.onnx").write_bytes(b"no model")
    names = ["good.onnx", "bad.onnx", "stuck.onnx"]
    result = place.call("inspect", *names, "--json", "r.json", "--html", "r.html")
    assert result.exit_code == 2
    assert result.stderr.startswith("bnfold: bad.onnx: ")
    assert result.stderr.count("\n") == 1
    assert "stuck.onnx" in result.stdout
    assert "bad.onnx was not read: " in result.stdout
    record = json.loads((place / "r.json").read_text())
    assert [entry["path"] for entry in record["result"]["models"]] == ["good.onnx", "stuck.onnx"]
    assert [entry["path"] for entry in record["result"]["failed"]] == ["bad.onnx"]
    assert "bad.onnx was not read" in (place / "r.html").read_text()
    assert "bad.onnx was not read" in place.call("report", "r.json").stdout


def test_where_no_model_can_be_read_nothing_is_written(place):
    for name in ("a.onnx", "b.onnx"):
        (place / name).write_bytes(b"no model")
    result = place.call("inspect", "a.onnx", "b.onnx", "--json", "r.json")
    assert result.exit_code == 2
    assert result.stderr.endswith("none of these 2 files is a model that can be read\n")
    assert not (place / "r.json").exists()


def test_a_pattern_that_the_shell_leaves_is_the_files_that_fit(place, model, stuck):
    assert "-- stuck.onnx" in place.call("inspect", "*.onnx").stdout
    assert "no such file" in place.call("inspect", "*.onx").stderr


def test_a_pattern_may_be_the_name_of_a_file(place):
    onnx.save(parsed(GOOD), place / "[1].onnx")
    assert "batch norms: 1 -> 0" in place.call("inspect", "[1].onnx").stdout
