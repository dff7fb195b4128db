"""Multiply-accumulates of a model, from the shapes of the tensors that a run produced."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import onnx


def count_macs(model: onnx.ModelProto, tensors: Mapping[str, npt.NDArray[np.generic]]) -> int:
    """Of the convolutions and matrix products of the main graph."""
    shapes = {name: array.shape for name, array in tensors.items()}
    shapes |= {t.name: tuple(t.dims) for t in model.graph.initializer}
    return sum(_macs(node, shapes) for node in model.graph.node)


def _macs(node: onnx.NodeProto, shapes: Mapping[str, tuple[int, ...]]) -> int:
    if node.op_type not in ("Conv", "ConvTranspose", "Gemm", "MatMul"):
        return 0
    out = shapes[node.output[0]]
    if node.op_type == "Conv":
        return math.prod(out) * math.prod(shapes[node.input[1]][1:])
    if node.op_type == "ConvTranspose":
        return math.prod(shapes[node.input[0]]) * math.prod(shapes[node.input[1]][1:])
    attributes = {a.name: a for a in node.attribute}
    if node.op_type == "Gemm":
        b = shapes[node.input[1]]
        transposed = "transB" in attributes and attributes["transB"].i == 1
        return math.prod(out) * b[1 if transposed else 0]
    b = shapes[node.input[1]]
    return math.prod(out) * (b[-2] if len(b) > 1 else b[0])
