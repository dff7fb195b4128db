"""What a file declares of values inside it, where that is not so.

A runtime believes the sizes in a file when it loads one, and infers others from them. A false one
is forgiven where nothing of that size meets it; a constant that a fold has put in does.
"""

from __future__ import annotations

import onnx_ir as ir

from bnfold.fold.facts.graph import Facts


def forget_false_shapes(facts: Facts) -> None:
    """Inside the graph, no declared shape contradicts what follows from its inputs."""
    for node in facts.model.graph:
        for value in node.outputs:
            if not value.is_graph_output() and _is_false(value, facts):
                value.shape = None


def _is_false(value: ir.Value, facts: Facts) -> bool:
    dims = facts.dims(value)
    if value.shape is None or dims is None:
        return False
    if len(dims) != len(value.shape):
        return True
    pairs = zip(value.shape, dims, strict=True)
    return any(isinstance(a, int) and isinstance(b, int) and a != b for a, b in pairs)
