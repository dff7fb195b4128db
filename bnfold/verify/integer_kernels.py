"""What a runtime's integer kernels round: the bias of a layer whose data and weight are quantised.

With optimisations on, onnxruntime computes DequantizeLinear, Conv, QuantizeLinear in integers if
nothing stands in between. The bias is then an int32 in steps of u[c] = scale of x * scale of W[c],

    b'[c] = u[c] round(b[c] / u[c]),      so |b' - b| <= u[c] / 2,

where it was a float before, as it is after a batch norm went into it. A neighbour that rounds so
too has, behind each such layer, a constant of u[c] * r[c] added, r uniform in (-1/2, 1/2).
Source: onnxruntime's WeightBiasQuantization and its selectors of QDQ groups.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from bnfold.fold.facts.operator_facts import LINEAR
from bnfold.runtime.signature import Array
from bnfold.verify.scores import constant_of


def round_biases(model: ir.Model, seed: tuple[int, ...]) -> None:
    """Behind each layer whose data and weight are quantised stands a constant, see above."""
    rng = np.random.default_rng(seed)
    outputs = set(model.graph.outputs)
    for count, node in enumerate(list(model.graph)):
        value = node.outputs[0]
        steps = _steps(node)
        if steps is None or value in outputs:
            continue
        readers = list(value.uses())
        moved = steps * rng.uniform(-0.5, 0.5, steps.shape)
        shift = ir.node("Constant", [], {"value": ir.tensor(moved.astype(np.float32))})
        shift.outputs[0].name = f"rounding of bias {count}"
        added = ir.node("Add", [value, shift.outputs[0]])
        added.outputs[0].name = f"with rounding {count}"
        model.graph.insert_after(node, [shift, added])
        for reader, index in readers:
            reader.replace_input_with(index, added.outputs[0])


def _steps(node: ir.Node) -> Array | None:
    """The steps of an int32 bias, [C, 1, ...] or [C]; None where a runtime computes in floats."""
    if node.op_type not in LINEAR or len(node.inputs) < 2:
        return None
    x, weight = (_dequantized(value) for value in node.inputs[:2])
    if x is None or weight is None or x[1].size != 1 or weight[1].ndim > 1:
        return None
    levels, scale = weight
    if levels is None:
        return None
    channels, trailing = _channels(node, levels)
    if scale.size not in (1, channels):
        return None
    steps = np.broadcast_to(x[1].reshape(()) * scale, (channels,))
    return steps.astype(np.float64).reshape((channels, *[1] * trailing))


def _dequantized(value: ir.Value | None) -> tuple[Array | None, Array] | None:
    """The stored levels, if they are, and the scale."""
    node = None if value is None else value.producer()
    if node is None or node.op_type != "DequantizeLinear":
        return None
    levels, scale = node.inputs[0], node.inputs[1]
    assert levels is not None and scale is not None, "both are required"
    stored = constant_of(scale)
    return None if stored is None else (constant_of(levels), stored)


def _channels(node: ir.Node, levels: Array) -> tuple[int, int]:
    """How many output channels, and how many axes stand behind them in the output."""
    if node.op_type == "Conv":
        return levels.shape[0], levels.ndim - 2
    if node.op_type == "ConvTranspose":
        group = node.attributes["group"].as_int() if "group" in node.attributes else 1
        return levels.shape[1] * group, levels.ndim - 2
    is_transposed = "transB" in node.attributes and node.attributes["transB"].as_int() == 1
    return levels.shape[0 if is_transposed else -1], 0
