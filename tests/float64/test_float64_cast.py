"""Casts to types of a byte or less, whose rounding the graph means; and newer control flow."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import onnx_ir as ir
import pytest
from onnx import parser

from bnfold.float64 import run_graph, run_op
from bnfold.typed import run_typed_node

EIGHT_BITS = (
    ir.DataType.FLOAT8E4M3FN,
    ir.DataType.FLOAT8E4M3FNUZ,
    ir.DataType.FLOAT8E5M2,
    ir.DataType.FLOAT8E5M2FNUZ,
)


@pytest.mark.parametrize("saturate", [0, 1])
@pytest.mark.parametrize("target", EIGHT_BITS)
def test_a_cast_to_float8_is_rounded_as_the_runtime_rounds(target, saturate):
    rng = np.random.default_rng(0)
    x = (rng.standard_normal(2000) * np.exp2(rng.integers(-14, 19, 2000))).astype(np.float32)
    if not saturate:  # beyond the largest onnxruntime 1.32 makes now a number, now NaN of it
        x = x[np.abs(x) <= float(ml_dtypes.finfo(target.numpy()).max)]
    attributes = {"to": target.value, "saturate": saturate}
    (ours,) = run_op("Cast", [x], attributes, opset=19)
    (stored,) = run_typed_node(ir.node("Cast", [ir.val("x")], attributes), [x], opset=19)
    np.testing.assert_array_equal(ours, stored.astype(np.float64))


def test_a_cast_to_float16_keeps_float64():
    x = np.array([0.1, 1e6])
    (y,) = run_op("Cast", [x], {"to": ir.DataType.FLOAT16.value}, opset=19)
    assert y.tolist() == x.tolist()


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("up", [1, 2, 2, 2, 4]), ("down", [1, 1, 1, 1, 2]), ("nearest", [1, 1, 2, 2, 2])],
)
def test_a_cast_to_exponents_alone_takes_a_power_of_two(mode, expected):
    x = np.array([1.0, 1.25, 1.5, 1.75, 2.5])
    attributes = {"to": ir.DataType.FLOAT8E8M0.value, "round_mode": mode}
    assert run_op("Cast", [x], attributes, opset=24)[0].tolist() == expected


def test_float4_saturates():
    x = np.array([100.0, -7.0, 0.6])
    (y,) = run_op("Cast", [x], {"to": ir.DataType.FLOAT4E2M1.value}, opset=23)
    assert y.tolist() == [6.0, -6.0, 0.5]
    assert float(ml_dtypes.finfo(ml_dtypes.float4_e2m1fn).max) == 6.0


def test_a_sequence_is_mapped_element_by_element():
    model = parser.parse_model(
        """<ir_version: 8, opset_import: ["": 17]>
        g (float[N] a, float[M] b) => (float[K] y) {
            s = SequenceConstruct(a, b)
            t = SequenceMap (s, a) <body = f (float[N] x, float[M] z) => (float[K] w) {
                r = ReduceSum <keepdims = 0> (z)
                w = Mul(x, r)
            }>
            y = ConcatFromSequence <axis = 0> (t)
        }"""
    )
    feeds = {"a": np.array([1.0, 2.0]), "b": np.array([3.0])}
    y = run_graph(ir.serde.deserialize_model(model), feeds)["y"]
    assert y.tolist() == [3.0, 6.0, 9.0]


def test_the_oldest_scan_has_a_batch_and_lengths():
    """Sums over time of two samples, the second of which ends early."""
    model = parser.parse_model(
        """<ir_version: 3, opset_import: ["": 8]>
        g (int64[2] n, float[2, 1] h, float[2, 3, 1] x) => (float[2, 1] last, float[2, 3, 1] y) {
            last, y = Scan <num_scan_inputs = 1, body = f (float[1] s, float[1] v)
                => (float[1] t, float[1] u) { t = Add(s, v) u = Identity(t) }> (n, h, x)
        }"""
    )
    feeds = {"n": np.array([3, 2]), "h": np.array([[0.0], [10.0]])}
    feeds["x"] = np.arange(6.0).reshape(2, 3, 1)
    found = run_graph(ir.serde.deserialize_model(model), feeds)
    assert found["last"].tolist() == [[3.0], [17.0]]
    assert found["y"][:, :, 0].tolist() == [[0.0, 1.0, 3.0], [13.0, 17.0, 0.0]]
