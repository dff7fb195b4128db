"""What onnxruntime itself saves is a model like any other."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

import bnfold
from bnfold.runtime.domains import KNOWN_DOMAINS
from tests.runtime_oracle import opened
from tests.verify.graphs import parsed


def network(factor: float = 1.0) -> onnx.ModelProto:
    """Channels in multiples of 16: onnxruntime blocks them, in a domain of its own."""
    rng = np.random.default_rng(5)
    text = """g (float[N,16,12,12] x) => (float[N,32,12,12] y) {
        a = Conv <pads = [1,1,1,1]> (x, w)
        b = BatchNormalization (a, s, t, m, v)
        y = Relu (b)
    }"""
    statistics = {name: rng.uniform(0.5, 1.5, 32) for name in "stmv"}
    statistics["s"] *= factor
    return parsed(text, w=rng.normal(size=(32, 16, 3, 3)), **statistics)


def saved_by_onnxruntime(model: onnx.ModelProto, path, level: str) -> onnx.ModelProto:
    opened(model, level, save_as=path)
    return onnx.load(path)


@pytest.mark.parametrize("level", ["ORT_ENABLE_EXTENDED", "ORT_ENABLE_ALL"])
def test_a_model_that_onnxruntime_optimised_and_saved_can_be_verified(tmp_path, level):
    saved = saved_by_onnxruntime(network(), tmp_path / "saved.onnx", level)
    assert {node.domain for node in saved.graph.node} <= KNOWN_DOMAINS
    assert bnfold.verify(network(), saved).is_equivalent
    assert bnfold.verify(network(1.001), saved).verdict == "different"


def test_a_model_saved_for_another_cpu_is_not_called_different():
    """Blocks of 3 channels fit the registers of no CPU: the runtime refuses to run it."""
    text = """g (float[1,3,4,4] x) => (float[1,3,4,4] y) {
        y = com.microsoft.nchwc.ReorderOutput <channels = 3> (x)
    }"""
    head = '<ir_version: 8, opset_import: ["" : 17, "com.microsoft.nchwc" : 1]>'
    plain = parsed("g (float[1,3,4,4] x) => (float[1,3,4,4] y) { y = Identity (x) }")
    found = bnfold.verify(plain, onnx.parser.parse_model(f"{head}\n{text}"))
    assert found.verdict == "inconclusive"
    assert "for one kind of CPU" in found.reason
