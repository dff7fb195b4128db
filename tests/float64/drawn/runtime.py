"""Runs one operator in onnxruntime, optimisations off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnxruntime.capi import onnxruntime_pybind11_state as state

from tests.float64.drawn.case import Case
from tests.runtime_oracle import in_onnxruntime

Arrays = list[np.ndarray]
REFUSALS = (state.Fail, state.InvalidArgument, state.InvalidGraph, state.NotImplemented)
REFUSALS += (state.RuntimeException,)


class Refused(Exception):  # noqa: N818
    """onnxruntime does not run this case: there is nothing to compare with."""


def run_case(op_type: str, case: Case) -> Arrays:
    """What onnxruntime makes of a case.

    Raises:
        Refused: It does not run it.
    """
    try:
        return run_in_runtime(
            op_type, case.inputs, case.attributes, case.opset, case.n_outputs, case.domain
        )
    except REFUSALS as error:
        raise Refused(str(error)) from error


def run_in_runtime(
    op_type: str,
    inputs: Sequence[np.ndarray | None],
    attributes: Mapping[str, Any],
    opset: int,
    n_outputs: int,
    domain: str,
) -> Arrays:
    names = [f"x{i}" if x is not None else "" for i, x in enumerate(inputs)]
    outputs = [f"y{i}" for i in range(n_outputs)]
    node = onnx.helper.make_node(op_type, names, outputs, domain=domain)
    node.attribute.extend(_attribute(name, value) for name, value in attributes.items())
    infos = [
        onnx.helper.make_tensor_value_info(
            name, onnx.helper.np_dtype_to_tensor_dtype(x.dtype), x.shape
        )
        for name, x in zip(names, inputs, strict=True)
        if x is not None
    ]
    graph = onnx.helper.make_graph(
        [node], "g", infos, [onnx.ValueInfoProto(name=name) for name in outputs]
    )
    opsets = [onnx.helper.make_opsetid(domain, opset if not domain else 1)]
    if domain:
        opsets.append(onnx.helper.make_opsetid("", opset))
    model = onnx.helper.make_model(graph, opset_imports=opsets, ir_version=10)
    feeds = {n: np.asarray(x) for n, x in zip(names, inputs, strict=True) if x is not None}
    return in_onnxruntime(model, feeds)


def _attribute(name: str, value: Any) -> onnx.AttributeProto:
    if isinstance(value, np.ndarray):
        value = onnx.numpy_helper.from_array(value)
    return onnx.helper.make_attribute(name, value)
