"""The exporter's raw graph made into one that a person can read and a folder can work on."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import onnx_ir as ir
from onnx_ir.passes import common

from bnfold.export.constant_folding import fold_constants, shorten
from bnfold.export.dimension_names import FixedDimension, name_dimensions, simplify_reshapes
from bnfold.export.idle import drop_idle
from bnfold.export.linear_as_gemm import use_rows
from bnfold.export.module_names import name_nodes, name_values
from bnfold.export.sequences import use_split


def tidy(
    model: ir.Model,
    *,
    dimensions: Mapping[str, Mapping[int, str]],
    sizes: Mapping[str, int],
    outputs: Sequence[str],
    parameters: Collection[str],
) -> list[FixedDimension]:
    """The model computes what it did, with nothing left that is known before it runs.

    No batch norm is touched: they are for the fold to decide on.

    Args:
        model: the exporter's, not optimised; changed in place, its tensors become its own.
        dimensions: for each graph input, the names of its dynamic dimensions by axis.
        sizes: symbols of its shapes that stand for one size only.
        outputs: names for the graph's outputs.
        parameters: names of the module's parameters and buffers, which the initializers keep.

    Returns:
        The dimensions that should be dynamic and are not.
    """
    _inline_functions(model)
    fold_constants(model)
    shorten(model)
    drop_idle(model)
    while simplify_reshapes(model):
        fold_constants(model)
        shorten(model)
    drop_idle(model)
    use_rows(model)
    use_split(model)
    _drop_unused(model)
    _separate_outputs(model.graph)
    fixed = name_dimensions(model, dimensions, sizes)
    name_nodes(model)
    name_values(model, outputs, parameters, model.opset_imports[""])
    own_tensors(model)
    _drop_metadata(model)
    return fixed


def _inline_functions(model: ir.Model) -> None:
    if model.functions:
        common.InlinePass()(model)
        common.RemoveUnusedFunctionsPass()(model)  # type: ignore[no-untyped-call]


def _drop_unused(model: ir.Model) -> None:
    common.IdentityEliminationPass()(model)
    common.RemoveUnusedNodesPass()(model)
    common.RemoveUnusedOpsetsPass()(model)


def _separate_outputs(graph: ir.Graph) -> None:
    """A tensor that the module returns twice has two names: an ONNX graph may not repeat one."""
    seen: set[ir.Value] = set()
    for place, value in enumerate(graph.outputs):
        if value in seen:
            copied = ir.node("Identity", [value])
            copied.outputs[0].shape, copied.outputs[0].type = value.shape, value.type
            graph.append(copied)
            graph.outputs[place] = copied.outputs[0]
        seen.add(value)


def own_tensors(model: ir.Model) -> None:
    """The initializers are copies: the module's own memory may change after the export."""
    for graph in model.graphs():
        for value in graph.initializers.values():
            tensor = value.const_value
            assert tensor is not None  # the exporter writes no initializer without a value
            value.const_value = ir.Tensor(
                np.array(tensor.numpy()), dtype=tensor.dtype, name=value.name
            )


def _drop_metadata(model: ir.Model) -> None:
    """The exporter's stack traces name files on this machine, and take most of a small file."""
    model.metadata_props.clear()
    model.graph.metadata_props.clear()
    for value in (*model.graph.inputs, *model.graph.initializers.values()):
        value.metadata_props.clear()
    for node in model.graph.all_nodes():
        node.metadata_props.clear()
        node.doc_string = None
        for value in node.outputs:
            value.metadata_props.clear()
