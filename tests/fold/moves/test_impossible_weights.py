"""What does not fit its constants or attributes runs nowhere: that is said, and no bug of ours."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

import bnfold
from tests.fold.property.text_models import model, norm, weight


def _model(attributes: dict[str, object], op: str = "Conv", **shapes: tuple[int, ...]) -> bytes:
    inputs = ["x", "w", "o", "b"] if op == "DeformConv" else ["x", "w", "b"]
    nodes = [
        helper.make_node(op, inputs, ["a"], **attributes),
        helper.make_node("BatchNormalization", ["a", "s", "t", "m", "v"], ["y"]),
    ]
    constants = {"b": (6,), "s": (6,), "t": (6,), "m": (6,), "v": (6,), **shapes}
    stored = [
        numpy_helper.from_array(np.full(shape, 0.5, np.float32), name)
        for name, shape in constants.items()
    ]
    named = [
        helper.make_tensor_value_info(name, 1, dims)
        for name, dims in (("x", [1, 4, 9, 9]), ("o", ["N", 18, 7, 7]))
        if name in inputs
    ]
    outputs = [helper.make_tensor_value_info("y", 1, None)]
    graph = helper.make_graph(nodes, "g", named, outputs, stored)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)
    return bytes(model.SerializeToString())


@pytest.mark.parametrize("op", ["Conv", "DeformConv"])
@pytest.mark.parametrize(
    ("attributes", "shapes"),
    [
        ({}, {"w": (6, 5, 3, 3)}),
        ({"group": 2}, {"w": (6, 4, 3, 3)}),
        ({"group": 4}, {"w": (6, 1, 3, 3)}),
        ({"group": 0}, {"w": (6, 4, 3, 3)}),
        ({}, {"w": (6, 4, 3)}),
        ({}, {"w": (6, 4, 3, 3), "b": (5,)}),
        ({"kernel_shape": [2, 2]}, {"w": (6, 4, 3, 3)}),
    ],
    ids=str,
)
def test_constants_that_do_not_fit_are_refused_with_that_reason(
    op: str, attributes: dict[str, object], shapes: dict[str, tuple[int, ...]]
) -> None:
    model = onnx.ModelProto.FromString(_model(attributes, op, **shapes))
    ledger = bnfold.fold(model).ledger
    assert not ledger.bugs
    assert ledger.kept[0].refusals[0].code == "malformed"


@pytest.mark.parametrize("op", ["Conv", "DeformConv"])
def test_constants_that_fit_are_folded(op: str) -> None:
    attributes: dict[str, object] = {"group": 2, "kernel_shape": [3, 3]}
    model = onnx.ModelProto.FromString(_model(attributes, op, w=(6, 2, 3, 3)))
    assert bnfold.fold(model).ledger.batch_norms_after == 0


@pytest.mark.parametrize(
    ("x", "body"),
    [
        ([4], "m = Mul(x, c) y = Conv(m, w4)"),
        ([2, 4], "m = Mul(x, c) y = Conv(m, w34)"),
        ([1, 4, 6], "m = Mul(x, k) y = DepthToSpace<blocksize = 2>(m)"),
        ([1, 6, 2, 2], "b = BN(x, n) y = DepthToSpace<blocksize = 2>(b)"),
        ([1, 6, 2, 2], "b = BN(x, n) y = DepthToSpace<blocksize = 0>(b)"),
        ([1, 4, 2, 2], "d = SpaceToDepth<blocksize = 3>(x) r = Identity(d) y = BN(r, n)"),
    ],
)
def test_axes_and_channels_that_an_operator_does_not_take(x: list[int], body: str) -> None:
    constants = {"c": weight(4), "k": weight(4, 1), "w4": weight(4), "w34": weight(3, 4)}
    built = model(f"(float{x} x) => (float[] y) {{ {body} }}", {**constants, **norm("n", 6)})
    ledger = bnfold.fold(built, check=False).ledger
    assert not ledger.bugs
    codes = {refusal.code for entry in ledger.kept for refusal in entry.refusals}
    assert codes & {"malformed", "shape-unknown"}
