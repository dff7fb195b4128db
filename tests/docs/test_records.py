"""The schemas in docs/ take every record that a command writes, and none that is wrong."""

from __future__ import annotations

import json

import jsonschema
import onnx.parser
import pytest
from click.testing import CliRunner

from bnfold.cli import main
from docs.generate import DOCS
from docs.schemas import RESULTS, schema_of_hint

MODEL = """
<ir_version: 10, opset_import: ["" : 20]>
net (float[N, 2] x) => (float[N, 2] y)
<float[2, 2] w = {1.0, 2.0, 3.0, 4.0}, float[2] s = {1.0, 2.0}, float[2] b = {0.5, 0.25},
 float[2] m = {0.0, 1.0}, float[2] v = {1.0, 2.0}>
{
    r = BatchNormalization(x, s, b, m, v)
    h = Relu(r)
    g = MatMul(h, w)
    y = BatchNormalization(g, s, b, m, v)
}
"""
MODULE = """
from torch import nn

def build():
    return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))

def example_inputs():
    return (1, 2)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    onnx.save(onnx.parser.parse_model(MODEL), tmp_path / "net.onnx")
    (tmp_path / "net.py").write_text(MODULE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def validated(folder, command, *words, file="record.json", codes=frozenset({0})):
    """The record of a real run, which its schema takes."""
    json_option = [] if command == "run" else ["--json", file]
    done = CliRunner().invoke(main, [command, *words, *json_option])
    assert done.exit_code in codes, done.output
    record = json.loads((folder / file).read_text(encoding="utf-8"))
    validator(command).validate(record)
    return record


def validator(command):
    schema = json.loads((DOCS / f"schemas/{command}.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_the_record_of_an_inspection(folder):
    record = validated(folder, "inspect", "net.onnx")
    assert [d["status"] for d in record["result"]["decisions"]] == ["kept", "folded"]


def test_the_record_of_an_inspection_of_several_of_which_one_is_no_model(folder):
    (folder / "bad.onnx").write_bytes(b"no model")
    record = validated(folder, "inspect", "net.onnx", "bad.onnx", codes={2})
    assert [entry["path"] for entry in record["result"]["failed"]] == ["bad.onnx"]


def test_the_record_of_a_fold_with_and_without_its_verification(folder):
    assert (
        "verification"
        in validated(folder, "fold", "net.onnx", "-o", "o.onnx", "--verify")["result"]
    )
    record = validated(folder, "fold", "net.onnx", "--dry-run", "--no-check", "--allow", "all")
    assert record["result"]["opinion"] is None


def test_the_record_of_a_verification_that_finds_a_difference(folder):
    other = onnx.parser.parse_model(MODEL.replace("0.25", "0.75"))
    onnx.save(other, folder / "other.onnx")
    record = validated(folder, "verify", "net.onnx", "other.onnx", codes={1})
    assert record["result"]["location"]


def test_the_record_of_a_sweep_in_which_a_model_fails(folder):
    (folder / "bad.onnx").write_bytes(b"no model")
    record = validated(
        folder, "sweep", "*.onnx", "-o", "out", "--no-verify", "--workers", "1", codes={2}
    )
    assert [model["status"] for model in record["result"]["models"]] == ["failed", "not verified"]


def test_the_record_of_an_export(folder):
    pytest.importorskip("torch")
    assert validated(folder, "export", "net.py:build", "-o", "o.onnx")["result"]["check"]


@pytest.mark.slow
def test_the_records_of_a_bench_and_of_a_run(folder):
    pytest.importorskip("torch")
    few = ("--pairs", "5", "--level", "none", "--profile", "--processes", "1")
    validated(folder, "bench", "net.onnx", "net.onnx", *few, codes={0, 3})
    record = validated(
        folder, "run", "net.py:build", "-o", "out", *few, file="out/report.json", codes={0, 3}
    )
    assert {"export", "fold", "verify", "bench"} == set(record["result"])


def test_a_record_with_a_key_more_or_less_is_none(folder):
    record = validated(folder, "inspect", "net.onnx")
    check = validator("inspect")
    assert not check.is_valid({**record, "more": 1})
    assert not check.is_valid({**record, "schema_version": 0})
    assert not check.is_valid({k: v for k, v in record.items() if k != "inputs"})
    decision = {**record["result"]["decisions"][0], "channels": "two"}
    assert not check.is_valid({**record, "result": {**record["result"], "decisions": [decision]}})


def test_every_command_that_writes_a_record_has_a_schema():
    from bnfold.cli.group import COMMANDS

    assert set(RESULTS) == set(COMMANDS) - {"report"}  # which only shows them


def test_a_number_that_is_not_finite_is_a_word():
    check = jsonschema.Draft202012Validator(schema_of_hint(float))
    assert check.is_valid("inf")
    assert not check.is_valid("many")
