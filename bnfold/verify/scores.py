"""What stands behind a decision: the float tensors that integer outputs were made from.

An ArgMax says little: nearly all faults leave it as it is, and a tie may turn it without any fault.
The scores that it decides on say more, so they are compared too.
"""

from __future__ import annotations

import onnx_ir as ir
from onnx_ir.passes.common import ShapeInferencePass


def scores_behind(a: ir.Model, b: ir.Model) -> dict[str, ir.DataType]:
    """Names, in both graphs, of the nearest float tensors that integer outputs of `a` depend on."""
    if all(_is_float(output) for output in a.graph.outputs):
        return {}
    graph = ShapeInferencePass()(a.clone()).model.graph
    theirs = {value.name for node in b.graph for value in node.outputs}
    returned = {value.name for value in graph.outputs}
    found: dict[str, ir.DataType] = {}
    for output in graph.outputs:
        if not _is_float(output):
            found.update(_nearest(output, theirs - returned))
    return found


def _nearest(output: ir.Value, names: set[str | None]) -> dict[str, ir.DataType]:
    pending, seen, found = [output], set(), {}
    while pending:
        value = pending.pop(0)
        node = value.producer()
        if node is None or value in seen:
            continue
        seen.add(value)
        if value.dtype is not None and value.name in names and _is_float(value):
            found[value.name or ""] = value.dtype
        else:
            pending += [x for x in node.inputs if x is not None]
    return found


def _is_float(value: ir.Value) -> bool:
    return value.dtype is not None and value.dtype.is_floating_point()
