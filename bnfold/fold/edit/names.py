"""Which names a model uses."""

from __future__ import annotations

from collections.abc import Iterator

import onnx_ir as ir


def names_of(model: ir.Model) -> Iterator[str]:
    """The names of its values and nodes, in every scope; "" for what has none."""
    for graph in model.graphs():
        for value in (*graph.inputs, *graph.initializers.values()):
            yield value.name or ""
        for node in graph:
            yield node.name or ""
            for value in node.outputs:
                yield value.name or ""
    for function in model.functions.values():
        for node in function:
            for value in node.outputs:
                yield value.name or ""
