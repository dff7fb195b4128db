"""Other optimisers and a default export beside the user's models: timed alike, or told why not."""

from __future__ import annotations

import importlib.util
import re
import shutil
import sys
from dataclasses import replace

import onnx
import pytest

import bnfold
from bnfold.bench import contenders
from bnfold.bench.contenders import EXPORTED
from bnfold.bench.floor import NAME as FLOOR
from bnfold.errors import UsageError
from bnfold.peers.optimised import Peer, optimised
from bnfold.peers.tools import TOOLS

NET = """g (float[N,2,3] x) => (float[N,2,3] y)
<float[2] s = {2.0, 3.0}, float[2] z = {0.5, -1.0}> {
  a = BatchNormalization (x, s, z, z, s)  b = Identity (a)  y = Sin (b) }"""
QUICK = {"levels": "all", "pairs": 5, "processes": 1}
ABSENT = [name for name, tool in TOOLS.items() if importlib.util.find_spec(tool.package) is None]


@pytest.fixture
def net(model_file):
    return model_file(NET, "net.onnx")


def faked(monkeypatch, make):
    """The optimiser is `make(source, target)`, and its answer the sentence of the peer."""
    monkeypatch.setattr(
        contenders, "optimised",
        lambda name, source, target: Peer(name, "1.0", make(source, target) or ""),
    )  # fmt: skip


@pytest.mark.slow
def test_an_optimiser_the_floor_and_an_export_are_timed_in_the_same_pairs(net, model_file):
    folded = net.with_name("folded.onnx")
    shutil.copy(net, folded)
    found = bnfold.bench([net, folded], against="ort", floor=True, exported=net, **QUICK)
    roles = {model.name: model.role for model in found.models}
    (peer,) = found.peers
    assert peer.sentence == ""
    assert roles == {
        "net.onnx": "baseline", "folded.onnx": "candidate", EXPORTED: "export", FLOOR: "floor",
        f"ort {peer.version}": "peer",
    }  # fmt: skip
    assert [row.candidate for row in found.comparisons] == list(roles)[1:]
    assert {row.null_quads for row in found.comparisons} == {found.comparisons[0].null_quads}
    assert [row.candidate for row in found.headline] == ["folded.onnx"]
    assert {tax.candidate for tax in found.taxes} == set(roles) - {"net.onnx", FLOOR}


@pytest.mark.skipif(not ABSENT, reason="all optimisers are installed")
def test_one_that_is_not_installed_is_a_row_with_the_reason(net):
    found = bnfold.bench(net, against=ABSENT[0], **QUICK)
    (peer,) = found.peers
    assert f"{TOOLS[ABSENT[0]].package} is not installed" in peer.sentence
    assert found.is_conclusive


def test_one_that_crashes_is_a_row(net, tmp_path, monkeypatch):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nexit 134\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    peer = optimised("onnxsim", net, tmp_path / "out.onnx")
    assert peer.sentence == "its process ended with exit code 134"


def test_one_that_raises_says_what_it_said(tmp_path):
    (tmp_path / "no.onnx").write_bytes(b"this is no model")
    peer = optimised("ort", tmp_path / "no.onnx", tmp_path / "out.onnx")
    assert peer.version
    assert "no.onnx" in peer.sentence


def wrong(source, target):
    model = onnx.load(source)
    model.graph.node[-1].op_type = "Cos"
    onnx.save(model, target)


def renamed(source, target):
    model = onnx.load(source)
    model.graph.input[0].name = model.graph.node[0].input[0] = "image"
    onnx.save(model, target)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (wrong, "it computes something else"),
        (renamed, "it has no input 'x'"),
        (lambda source, target: target.write_bytes(b"?") and None, "not.*ONNX|cannot be read"),
        (lambda source, target: "it was not done after 300 seconds", "not done after 300"),
    ],
)
def test_what_cannot_be_compared_is_a_row_with_the_reason(net, monkeypatch, make, words):
    faked(monkeypatch, make)
    found = bnfold.bench(net, against="onnxsim", **QUICK)
    (peer,) = found.peers
    assert re.search(words, peer.sentence)
    assert [model.name for model in found.models] == ["net.onnx"]


@pytest.mark.slow
def test_one_that_runs_models_itself_and_is_not_there_fails_alone(net, monkeypatch):
    """The optimiser was there and its runtime is not: the others are measured."""
    if importlib.util.find_spec("openvino") is not None:
        pytest.skip("OpenVINO is installed")
    faked(monkeypatch, lambda source, target: None)
    found = bnfold.bench([net, net], against="openvino", **QUICK)
    (failed,) = found.failed
    assert failed.model == "openvino 1.0"
    assert "this Python has no OpenVINO" in failed.sentence
    assert len(found.comparisons) == 1
    assert replace(found, comparisons=()).is_conclusive  # it is not one of those named


def test_in_int8_it_is_told_that_openvino_is_another_matter(net, monkeypatch):
    peer, subject = contenders._peer("openvino", None, None, True, None)
    assert subject is None
    assert "quantiser" in peer.sentence


def test_an_unknown_optimiser_is_refused(net):
    with pytest.raises(UsageError, match=r"unknown optimiser 'onnxslm'.*did you mean 'onnxslim'"):
        bnfold.bench(net, against="onnxslm")


def test_a_model_without_batch_norms_is_its_own_floor(model_file):
    model = model_file("g (float[N,2] x) => (float[N,2] y) { y = Sin (x) }")
    found = bnfold.bench(model, floor=True, **QUICK)
    assert "model.onnx has no batch norm: it is its own floor" in found.notes
    assert len(found.models) == 1
