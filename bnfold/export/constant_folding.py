"""Evaluates what an exporter leaves to compute though it is constant.

    Shape(weight), Shape(x) where the dimensions asked for are fixed, CastLike(0, x), Expand(0, [9])

and anything computed from these: each becomes an initializer, and a bias that is nothing but such
computed zeros is left out.
"""

from __future__ import annotations

import sys

import onnx_ir as ir
from onnx_ir.passes import common

LARGEST_GROWTH = 2**18  # elements; a mask made by Expand is better computed than stored


def fold_constants(model: ir.Model) -> None:
    """No node of the model computes something that is known before it runs."""
    from onnxscript import optimizer

    common.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model)
    stored = {value for graph in model.graphs() for value in graph.initializers.values()}
    optimizer.fold_constants(
        model,
        input_size_limit=sys.maxsize,  # a weight that is computed from parameters may be large
        output_size_limit=LARGEST_GROWTH,
        should_fold=lambda node: False if _is_returned(node) else None,
    )
    common.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model)
    common.RemoveUnusedNodesPass()(model)
    for node in model.graph.all_nodes():
        if node.op_type in ("Conv", "ConvTranspose") and not node.domain and len(node.inputs) > 2:
            bias = node.inputs[2]
            if bias is None or bias in stored or bias.const_value is None:
                continue
            if not bias.const_value.numpy().any():
                node.resize_inputs(2)


def _is_returned(node: ir.Node) -> bool:
    """Whether a caller reads it: an output stays one that a node makes."""
    return any(output.is_graph_output() for output in node.outputs)
