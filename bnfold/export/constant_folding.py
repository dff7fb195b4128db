"""Evaluates what an exporter leaves to compute though it is constant.

    Shape(weight), Shape(x) where the dimensions asked for are fixed, CastLike(0, x), Expand(0, [9])

and anything computed from these: each becomes an initializer, and a bias that is nothing but such
computed zeros is left out.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import onnx_ir as ir
from onnx_ir.passes import common

from bnfold.errors import ModelError
from bnfold.torch_code.foreign import foreign_code

if TYPE_CHECKING:
    from onnxscript.rewriter.pattern import RewriteRule

ROUNDS = 2  # onnxscript's own number
KEPT = ("BatchNorm", "RemoveOptionalBias")
LARGEST_GROWTH = 2**18  # elements; a mask made by Expand is better computed than stored


def fold_constants(model: ir.Model) -> None:
    """No node of the model computes something that is known before it runs."""
    common.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model)
    stored = {value for graph in model.graphs() for value in graph.initializers.values()}
    _evaluate(model)
    common.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model)
    common.RemoveUnusedNodesPass()(model)
    for node in model.graph.all_nodes():
        if node.op_type in ("Conv", "ConvTranspose") and not node.domain and len(node.inputs) > 2:
            bias = node.inputs[2]
            if bias is None or bias in stored or bias.const_value is None:
                continue
            if not bias.const_value.numpy().any():
                node.resize_inputs(2)


def shorten(model: ir.Model) -> None:
    """What onnxscript's optimiser shortens is shorter, batch norms excepted.

    Casts, Reshapes and Transposes one behind the other, Expands that a broadcast does anyway, Pads
    before a Conv, Min and Max that are a Clip, the same computed twice.
    """
    from onnxscript.rewriter import RewritePass

    shortening = RewritePass(_rules())
    for _ in range(ROUNDS):
        shortening(model)
        common.RemoveUnusedNodesPass()(model)
        _evaluate(model)
    common.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model)
    common.CommonSubexpressionEliminationPass()(model)
    common.RemoveUnusedNodesPass()(model)


def _evaluate(model: ir.Model) -> None:
    from onnxscript import optimizer

    # It fails on some graphs, such as a split into sizes that are computed at run time.
    with foreign_code("the exported graph cannot be optimised", ModelError):
        optimizer.fold_constants(
            model,
            input_size_limit=sys.maxsize,  # a weight that is computed from parameters may be large
            output_size_limit=LARGEST_GROWTH,
            should_fold=lambda node: False if _is_returned(node) else None,
            onnx_shape_inference=True,  # recurrent layers come without the shapes of what they give
        )


def _rules() -> Sequence[RewriteRule]:
    """onnxscript's own set, but for what takes batch norms, which the fold decides on, or biases.

    A bias of zeros is a parameter all the same, and takes no node.
    """
    from onnxscript import rewriter

    return [
        r for r in rewriter._DEFAULT_REWRITE_RULES if not any(word in str(r.name) for word in KEPT)
    ]


def _is_returned(node: ir.Node) -> bool:
    """Whether a caller reads it: an output stays one that a node makes."""
    return any(output.is_graph_output() for output in node.outputs)
