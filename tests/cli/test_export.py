"""`bnfold export`, as a user calls it; the exporter itself is tested where it lives."""

from __future__ import annotations

import hashlib
import json

import onnx
import pytest

from bnfold.cli.export_options import parse_dynamic
from bnfold.errors import UsageError

pytest.importorskip("torch")

NETWORK = """
import torch
from torch import nn

def build():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.ReLU())

def number():
    return 3

def boom():
    raise RuntimeError("no such file on this machine")

value = 3
"""


@pytest.fixture
def network(place):
    (place / "network.py").write_text(NETWORK)
    return place / "network.py"


def test_an_export_writes_a_model_with_its_batch_norms(place, network):
    result = place.call(
        "export", "network.py:build", "-o", "net.onnx", "--input", "input:1,2,6,6",
        "--json", "export.json",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    assert "1 batch norm, opset" in result.stdout.splitlines()[0]
    operators = [node.op_type for node in onnx.load(place / "net.onnx").graph.node]
    assert operators == ["Conv", "BatchNormalization", "Relu"]
    record = json.loads((place / "export.json").read_text())
    assert record["command"] == "export"
    digest = hashlib.sha256((place / "net.onnx").read_bytes()).hexdigest()
    assert record["outputs"][0]["sha256"] == digest


BAD = {
    "no SPEC at all": (["nothing"], "module:factory"),
    "a package that is not there": (["no_such_package.net:build"], "no_such_package"),
    "a file that is not there": (["missing.py:build"], "missing.py: no such file"),
    "a file that does not import": (["broken.py:build"], "broken.py cannot be imported"),
    "no such factory": (["network.py:builder"], "has no attribute 'builder'"),
    "a factory of something else": (["network.py:number"], "not a torch.nn.Module"),
    "no factory": (["network.py:value"], "function that builds a network"),
    "a factory that fails": (["network.py:boom"], "no such file on this machine"),
    "a program that is not there": (["missing.pt2"], "missing.pt2: no such file"),
    "a program that nobody trusts": (["bad.pt2"], "--trust"),
    "a program that is none": (["bad.pt2", "--trust"], "bad.pt2: not a program"),
    "no input shapes": (["network.py:build"], "--input"),
    "a shape that does not fit": (["network.py:build", "--input", "input:1,3,6,6"], "[1, 3, 6, 6]"),
    "a shape that is none": (["network.py:build", "--input", "x:big"], "'big' is no shape"),
    "an input file that is missing": (["network.py:build", "--input", "x:f.npy"], "f.npy"),
    "weights that are missing": (
        ["network.py:build", "--input", "input:1,2,6,6", "--weights", "w.pt"], "w.pt: no such"),
    "weights that are none": (
        ["network.py:build", "--input", "input:1,2,6,6", "--weights", "bad.pt"], "bad.pt"),
    "weights for another network": (
        ["network.py:build", "--input", "input:1,2,6,6", "--weights", "other.pt"], "1.weight"),
    "dynamic without an axis": (
        ["network.py:build", "--input", "input:1,2,6,6", "--dynamic", "x=batch"], "x:0=batch"),
    "an opset that cannot be": (
        ["network.py:build", "--input", "input:1,2,6,6", "--opset", "3"], "opset"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_a_bad_export_gets_one_sentence_and_nothing_changes(place, network, case):
    import torch

    (place / "broken.py").write_text("import no_such_thing_at_all\n")
    (place / "bad.pt2").write_text("this is no program")
    (place / "bad.pt").write_text("these are no weights")
    torch.save({"0.weight": torch.zeros(1, 2, 3, 3), "0.bias": torch.zeros(1)}, place / "other.pt")
    before = place.content()
    args, said = BAD[case]
    result = place.call("export", *args, "-o", "net.onnx")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("bnfold: ")
    assert result.stderr.count("\n") == 1
    assert said in result.stderr
    assert place.content() == before


@pytest.mark.slow
def test_a_bad_spec_in_a_process_of_its_own(place, network):
    before = place.content()
    done = place.spawn("export", "network.py:boom", "-o", "net.onnx")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert place.content() == before


def test_dynamic_dimensions_are_read_as_the_design_writes_them():
    assert parse_dynamic([]) is None
    assert parse_dynamic(["none"]) == {}
    assert parse_dynamic(["x:0=batch", "x:2=height", "a:b:1=n"]) == {
        "x": {0: "batch", 2: "height"},
        "a:b": {1: "n"},
    }


@pytest.mark.parametrize("text", ["x", "x:0", "x=batch", "x:-1=n", ":0=n", "x:0="])
def test_a_dynamic_dimension_that_makes_no_sense_is_refused(text):
    with pytest.raises(UsageError, match="NAME:AXIS=DIM"):
        parse_dynamic([text])


def test_says_that_a_module_in_training_mode_is_exported_in_eval_mode(place):
    (place / "training.py").write_text(
        "import torch\n"
        "def build():\n"
        "    return torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4)).train()\n"
    )
    found = place.call("export", "training.py:build", "--input", "input:2,3", "-o", "net.onnx")
    assert found.exit_code == 0
    assert "note: the module was in training mode; it is exported in eval mode" in found.output
