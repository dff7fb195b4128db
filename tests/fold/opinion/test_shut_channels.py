"""What a Relu always shuts in the original rounds in the folded model alone: no bug of bnfold."""

from __future__ import annotations

import numpy as np
import onnx
import onnx.parser
import pytest

import bnfold
from bnfold.fold.opinion import second


def _model(seed: int) -> onnx.ModelProto:
    """One channel with a variance of 0 and a mean that its Tanh never reaches."""
    random = np.random.default_rng(seed)
    text = """<ir_version: 8, opset_import: ["": 13]> g (double[3, 3] x) => (double[3, 6] y) {
        a = Tanh(x) b = BatchNormalization(a, g, s, m, v) r = Relu(b)
        y = Gemm<transB = 1>(r, w, c) }"""
    constants = {
        "g": random.uniform(0.8, 1.2, 3),
        "s": random.uniform(0.5, 1.5, 3),
        "m": np.full(3, 1.12),
        "v": np.array([1.4, 0.0, 0.9]),
        "w": random.normal(size=(6, 3)),
        "c": random.normal(size=6),
    }
    parsed = onnx.parser.parse_model(text)
    for name, array in constants.items():
        parsed.graph.initializer.append(onnx.numpy_helper.from_array(array, name))
    return parsed


def test_its_rounding_is_not_taken_for_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(12):
        opinion = bnfold.fold(_model(seed), allow="rectifier").ledger.opinion
        assert opinion.error <= opinion.explained < 1e-11
    monkeypatch.setattr(second, "_MOST_UNITS", 0)
    with pytest.raises(bnfold.BnfoldError, match="bug in bnfold"):
        for seed in range(12):
            bnfold.fold(_model(seed), allow="rectifier")
