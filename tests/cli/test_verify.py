"""`bnfold verify` and `bnfold fold --verify`, as a user calls them."""

from __future__ import annotations

import json
from xml.etree import ElementTree as ET

import numpy as np
import onnx
import pytest

from tests.cli.conftest import GOOD, parsed


@pytest.fixture
def pair(place, model):
    """A model and its folded self."""
    assert place.call("fold", "good.onnx", "-o", "folded.onnx").exit_code == 0
    return place


@pytest.fixture
def wrong(place):
    """The model with another mean in one channel."""
    onnx.save(parsed(GOOD.replace("mean = {0.3,", "mean = {0.4,")), place / "wrong.onnx")
    return place / "wrong.onnx"


def test_a_correct_fold_is_equivalent(pair):
    result = pair.call("verify", "good.onnx", "folded.onnx")
    assert result.exit_code == 0
    assert result.stderr == ""
    assert result.stdout.startswith("equivalent: ")


def test_levels_can_be_asked_for(pair):
    result = pair.call("verify", "good.onnx", "folded.onnx", "--level", "basic", "--json", "r.json")
    assert result.exit_code == 0
    assert "optimisations basic" in result.stdout
    record = json.loads((pair / "r.json").read_text())
    assert record["result"]["levels"] == record["settings"]["levels"] == ["basic"]
    refused = pair.call("verify", "good.onnx", "folded.onnx", "--level", "most")
    assert refused.exit_code == 2
    assert "'most'" in refused.stderr


def test_a_half_precision_copy_is_judged_as_one_if_that_is_asked(place, model):
    half = onnx.load(model)
    for stored in half.graph.initializer:
        weight = onnx.numpy_helper.to_array(stored)
        if weight.dtype == np.float32:
            rounded = weight.astype(np.float16).astype(np.float32)
            stored.CopyFrom(onnx.numpy_helper.from_array(rounded, stored.name))
    onnx.save(half, place / "half.onnx")
    assert place.call("verify", model, "half.onnx").exit_code == 1
    result = place.call("verify", model, "half.onnx", "--as", "float16", "--json", "r.json")
    assert result.exit_code == 0
    assert "the original's rounding error in float16" in result.stdout
    record = json.loads((place / "r.json").read_text())
    assert record["result"]["as_dtype"] == record["settings"]["as_dtype"] == "float16"


def test_a_wrong_model_is_different(place, model, wrong):
    result = place.call("verify", model, wrong)
    assert result.exit_code == 1
    assert result.stdout.startswith("different: ")
    assert "OFF" in result.stdout


def test_the_users_data_is_used(pair):
    x = np.random.default_rng(1).standard_normal((4, 2, 5, 5)).astype(np.float32)
    np.savez(pair / "data.npz", x=x)
    result = pair.call("verify", "good.onnx", "folded.onnx", "--data", "data.npz", "--json", "-")
    assert result.exit_code == 0
    record = json.loads(result.stdout)
    assert record["settings"]["data"] == "data.npz"
    assert {feed["kind"] for feed in record["result"]["feeds"]} == {"data"}
    assert [entry["path"] for entry in record["inputs"]] == ["good.onnx", "folded.onnx", "data.npz"]


BAD_DATA = {
    "another shape": ({"x": (4, 3, 5, 5)}, ["x", "3"]),
    "another name": ({"y": (4, 2, 5, 5)}, ["x"]),
    "nothing": ({}, ["x"]),
}


@pytest.mark.parametrize("case", BAD_DATA)
def test_data_that_does_not_fit_is_named(pair, case):
    arrays, said = BAD_DATA[case]
    np.savez(pair / "d.npz", **{k: np.zeros(v, np.float32) for k, v in arrays.items()})
    before = pair.content()
    result = pair.call("verify", "good.onnx", "folded.onnx", "--data", "d.npz")
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert all(word in result.stderr for word in said)
    assert pair.content() == before


@pytest.mark.parametrize(
    "args",
    [
        ["--data", "missing.npz"],
        ["--data", "good.onnx"],
        ["--provider", "tpu"],
        ["--samples", "0"],
        ["--dim", "N"],
        ["--custom-ops", "missing.so"],
        ["--junit", "no/such/folder.xml"],
    ],
    ids=" ".join,
)
def test_a_bad_request_gets_one_sentence(pair, args):
    before = pair.content()
    result = pair.call("verify", "good.onnx", "folded.onnx", *args)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("bnfold: ")
    assert "this is a bug" not in result.stderr
    assert result.stderr.count("\n") == 1
    assert pair.content() == before


def test_junit_has_a_failure_for_a_wrong_model(place, model, wrong):
    assert place.call("verify", model, wrong, "--junit", "report.xml").exit_code == 1
    suite = ET.parse(place / "report.xml").getroot()
    assert int(suite.get("failures")) >= 1


def test_on_github_a_wrong_model_becomes_an_annotation(place, model, wrong, monkeypatch):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert place.call("verify", model, wrong).stderr.startswith("::error title=")
    assert place.call("verify", model, model).stderr == ""


def test_inputs_can_be_kept_and_replayed(pair):
    assert pair.call("verify", "good.onnx", "folded.onnx", "--save-data", "kept").exit_code == 0
    result = pair.call("verify", "good.onnx", "folded.onnx", "--data", "kept", "--json", "-")
    assert json.loads(result.stdout)["result"]["verdict"] == "equivalent"


def test_fold_verifies_before_it_writes(place, model):
    result = place.call("fold", model, "-o", "out.onnx", "--verify")
    assert result.exit_code == 0
    assert "equivalent: " in result.stdout
    assert result.stdout.splitlines()[-1].startswith("wrote out.onnx")


def test_a_fold_that_comes_out_different_is_not_written(place, model, wrong, monkeypatch):
    import bnfold

    verify = bnfold.verify
    monkeypatch.setattr(bnfold, "verify", lambda a, _b, **rest: verify(a, wrong, **rest))
    before = place.content()
    result = place.call("fold", model, "-o", model, "--verify")
    assert result.exit_code == 1
    assert result.stdout.splitlines()[-1].endswith("good.onnx was not written")
    assert place.content() == before


def test_a_model_that_draws_random_numbers_is_inconclusive(place):
    text = """
    <ir_version: 8, opset_import: ["" : 17]>
    g (float[1, 2] x) => (float[1, 2] y) { r = RandomNormalLike (x) y = Add (x, r) }
    """
    onnx.save(onnx.parser.parse_model(text), place / "random.onnx")
    result = place.call("verify", "random.onnx", "random.onnx")
    assert result.exit_code == 3
    assert result.stdout.startswith("inconclusive: ")
