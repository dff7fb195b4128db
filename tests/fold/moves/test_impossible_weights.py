"""A Conv whose constants do not fit each other runs nowhere: that is said, and no bug of ours."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

import bnfold


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
    model = onnx.ModelProto.FromString(_model({"group": 2}, op, w=(6, 2, 3, 3)))
    assert bnfold.fold(model).ledger.batch_norms_after == 0
