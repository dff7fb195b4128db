"""Operators that jump by themselves, written as a decision and a choice."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from bnfold.verify.inference import dtypes_of


def spell_out(model: ir.Model) -> None:
    """The graph, changed: what jumps by itself is a decision, and a choice.

    ThresholdedRelu(x) = Where(x > alpha, x, 0)
    Source: ONNX operators, ThresholdedRelu-10.
    """
    nodes = [node for node in model.graph if node.op_type == "ThresholdedRelu"]
    known = dtypes_of(model) if nodes else {}
    for count, node in enumerate(nodes):
        x, y = node.inputs[0], node.outputs[0]
        dtype = known.get("" if x is None else x.name or "")
        if x is None or dtype is None:
            continue
        numbers = (node.attributes.get_float("alpha", 1.0), 0.0)
        tensors = [ir.tensor(np.array(number, dtype.numpy())) for number in numbers]
        alpha, zero = (ir.node("Constant", [], {"value": tensor}) for tensor in tensors)
        above = ir.node("Greater", [x, alpha.outputs[0]])
        name, y.name = y.name, f"jump {count}"
        chosen = ir.Value(name=name, type=ir.TensorType(dtype), shape=y.shape)
        operands = [above.outputs[0], x, zero.outputs[0]]
        added = [alpha, zero, above, ir.node("Where", operands, outputs=[chosen])]
        for place, each in enumerate(added[:-1]):
            each.outputs[0].name = f"jump {count} {place}"
        model.graph.insert_before(node, added)
        ir.convenience.replace_all_uses_with(y, chosen, replace_graph_outputs=True)
        model.graph.remove(node, safe=True)
