"""The fold among passes of onnx_ir and of onnxscript, as the page strings them together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import pytest

from tests.docs.blocks import blocks_of
from tests.runtime_oracle import in_onnxruntime

PAGE = Path(__file__).parents[2] / "docs" / "pipelines.md"
MODEL = """
    <ir_version: 8, opset_import: ["" : 17]>
    net (float[N, 2, 5, 5] x) => (float[N, 1, 5, 5] y)
    <float[2, 2, 1, 1] w = {2, 1, 1, 2}, float[1, 2, 1, 1] v = {3, -1},
     float[2] scale = {1.5, -2.0}, float[2] shift = {0.25, 1.0},
     float[2] mean = {0.5, -1.0}, float[2] variance = {2.0, 0.5}>
    {
        same = Identity (x)
        h = Conv (same, w)
        once = Relu (h)
        twice = Relu (once)
        unread = Sigmoid (h)
        n = BatchNormalization (twice, scale, shift, mean, variance)
        y = Conv (n, v)
    }
"""
X = {"x": np.random.default_rng(0).standard_normal((3, 2, 5, 5)).astype(np.float32)}


def test_it_stands_among_passes_of_onnx_ir_and_onnxscript(tmp_path, monkeypatch):
    pytest.importorskip("onnxscript")
    monkeypatch.chdir(tmp_path)
    before = onnx.parser.parse_model(MODEL)
    onnx.save(before, "net.onnx")
    (block,) = (
        block for block in blocks_of(PAGE.read_text(encoding="utf-8")) if "Pass(" in block.text
    )
    exec(compile(block.text, str(PAGE), "exec"), {})
    after = onnx.load("passed.onnx")
    onnx.checker.check_model(after)
    assert [node.op_type for node in after.graph.node] == ["Conv", "Relu", "Conv"]
    np.testing.assert_allclose(
        in_onnxruntime(after, X)[0], in_onnxruntime(before, X)[0], rtol=1e-5, atol=1e-5
    )
