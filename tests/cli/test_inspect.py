"""What `bnfold inspect` says of a model at first sight, before it is asked about batch norms."""

from __future__ import annotations

import json

import onnx
import onnx.parser
import pytest

from bnfold.errors import ModelError


def test_the_outline_stands_above_the_ledger(place, model):
    size = f"{model.stat().st_size} B"
    lines = place.call("inspect", model).stdout.splitlines()
    assert lines[:3] == [
        f"model: {size}, opset 17, 2 nodes: 1 Conv, 1 BatchNormalization",
        "  inputs: x [N,2,5,5]; outputs: y [N,3,3,3]",
        "batch norms: 1 -> 0",
    ]


def test_it_is_told_before_any_work(place, model, monkeypatch):
    def failing(*_args, **_options):
        raise ModelError("the work has begun")

    monkeypatch.setattr("bnfold.cli.inspect.folded", failing)
    result = place.call("inspect", model)
    assert result.exit_code == 2
    assert result.stdout.startswith("model: ")
    assert result.stdout.count("\n") == 2
    assert "the work has begun" in result.stderr


def test_of_several_each_has_its_own(place, model, stuck):
    stdout = place.call("inspect", model, stuck).stdout
    first, second = stdout.split("-- ")[1:]
    assert first.splitlines()[0] == str(model)
    assert "2 nodes" in first.splitlines()[1]
    assert second.splitlines()[0] == str(stuck)
    assert "3 nodes" in second.splitlines()[1]
    assert "would be left" in second


@pytest.mark.parametrize("option", [["--quiet"], ["--json", "-"]])
def test_it_is_no_part_of_what_programs_read(place, model, option):
    stdout = place.call("inspect", model, *option).stdout
    assert "opset 17" not in stdout
    assert not stdout or json.loads(stdout)["command"] == "inspect"


def test_weights_beside_the_graph_count(place, model):
    onnx.save(onnx.load(model), place / "beside.onnx", save_as_external_data=True,
              location="beside.data", size_threshold=0)  # fmt: skip
    size = sum((place / name).stat().st_size for name in ("beside.onnx", "beside.data"))
    text = f"model: {size} B" if size < 1000 else f"model: {size / 1000:.1f} KB"
    assert place.call("inspect", "beside.onnx").stdout.startswith(text)


def test_stored_defaults_are_no_inputs_and_bodies_are_counted(place):
    text = """
    <ir_version: 8, opset_import: ["" : 17]>
    g (float[2] x, bool c, float[2] k) => (float y) <float[2] k = {1, 2}> {
      z = If (c) <then_branch = a () => (float[2] p) { p = Add(x, k) },
                  else_branch = b () => (float[2] q) { q = Add(k, x) }>
      y = ReduceSum <keepdims = 0> (z)
    }
    """
    onnx.save(onnx.parser.parse_model(text), place / "if.onnx")
    first, second = place.call("inspect", "if.onnx").stdout.splitlines()[:2]
    assert first.endswith("opset 17, 4 nodes: 2 Add, 1 If, 1 ReduceSum")
    assert second == "  inputs: x [2], c []; outputs: y []"
