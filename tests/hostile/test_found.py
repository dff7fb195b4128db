"""What mutants have found: each crash stays as a test."""

from __future__ import annotations

import numpy as np
import onnx
import onnx.parser
import pytest

import bnfold
from bnfold.errors import DataError, InconclusiveError

HEAD = '<ir_version: 8, opset_import: ["": 17]>'
NORM = "float[4] s = {1.0, 2.0, 1.0, 1.0}, float[4] b = {1.0, 2.0, 1.0, 1.0}"


@pytest.mark.parametrize("shape", [(), (4,)])
@pytest.mark.parametrize("operator", ["Conv", "ConvTranspose", "MatMul", "Gemm"])
def test_a_weight_of_too_few_axes_ends_no_fold(operator, shape):
    model = onnx.parser.parse_model(
        f"{HEAD} g (float[1,4,6,6] x) => (float[1,4,H,W] y) <{NORM}> "
        f"{{ a = {operator} (x, w) y = BatchNormalization (a, s, b, b, s) }}"
    )
    weight = np.ones(shape, np.float32)
    model.graph.initializer.append(onnx.numpy_helper.from_array(weight, "w"))
    assert bnfold.fold(model, check=False).ledger.batch_norms_after == 1


def test_an_input_of_2_to_the_60_is_not_made_up():
    model = onnx.parser.parse_model(
        f"{HEAD} g (float[1073741824,1073741824] x) => (float[N,M] y) {{ y = Relu (x) }}"
    )
    with pytest.raises(DataError, match=r"would take 1,152,921,504,606,846,976 numbers"):
        bnfold.verify(model, model)


@pytest.mark.slow
def test_a_loop_without_an_end_is_given_up():
    model = onnx.parser.parse_model(
        f"""{HEAD} g (float[2] x) => (float[2] y) <int64 trips = {{9223372036854775807}},
        bool go = {{1}}> {{ y = Loop (trips, go, x) <body = body (int64 i, bool c, float[2] h)
        => (bool d, float[2] k) {{ d = Identity (c) k = Relu (h) }}> }}"""
    )
    with pytest.raises(InconclusiveError, match="did not end within 6 s"):
        bnfold.verify(model, model)
