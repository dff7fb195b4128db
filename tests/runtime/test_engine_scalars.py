"""A number without axes is fed as one, and not as a list of one number."""

from __future__ import annotations

import numpy as np
import onnx.parser

import bnfold

TEXT = (
    '<ir_version: 8, opset_import: ["": 18]> g (float x, float[N] v) => (float[N] y) '
    "{ y = Mul(x, v) }"
)


def test_a_scalar_input_is_fed_without_axes():
    model = onnx.parser.parse_model(TEXT)
    data = [{"x": np.array(2, np.float32), "v": np.ones(3, np.float32)}]
    assert bnfold.verify(model, model, data=data)
    assert bnfold.verify(model, model)
