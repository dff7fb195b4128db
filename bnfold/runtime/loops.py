"""Loops, which may never end: how long a run of a model that has one may take."""

from __future__ import annotations

import onnx_ir as ir

_SECONDS = 6.0  # of a run of a model with a Loop; nobody can tell beforehand that it ends


def seconds_for(model: ir.Model) -> float | None:
    """The time that one run of the model gets; None, so any, where it has no Loop."""
    graphs = (model.graph, *(function.graph for function in model.functions.values()))
    nodes = (node for graph in graphs for node in graph.all_nodes())
    return _SECONDS if any(node.op_type == "Loop" for node in nodes) else None
