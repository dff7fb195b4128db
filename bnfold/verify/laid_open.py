"""A model as it is looked into: nothing stands in a local function, a name is that of one value.

What a verification watches it finds by name, and walks graphs for; a call of a function hides what
is inside. Bodies of If, Loop and Scan keep their place: the values in two of them may have one name
in a file, and have two here. A runtime gets the model as it was given.
"""

from __future__ import annotations

from collections.abc import Iterator

import onnx_ir as ir
from onnx_ir.passes.common import RemoveUnusedFunctionsPass

from bnfold.fold.sources.inlining import inline_all
from bnfold.fresh_names import FreshNames
from bnfold.runtime.bodies import bodies_of


def laid_open(model: ir.Model) -> ir.Model:
    """The model so, a copy of it if it has functions; weights are shared."""
    if model.functions:
        model = model.clone()
        inline_all(model)
        RemoveUnusedFunctionsPass()(model)  # type: ignore[no-untyped-call]
    ends = [*model.graph.inputs, *model.graph.initializers.values()]
    names = FreshNames(v.name or "" for v in (*ends, *_made(model.graph)))
    for value in _inside(model.graph):
        if value.name:
            value.name = names(value.name)
    return model


def outermost(model: ir.Model) -> dict[str, str]:
    """For each value in a body, the first result of the node of the main graph that runs it."""
    return {
        value.name: node.outputs[0].name or ""
        for node in model.graph
        for _, body in bodies_of(node)
        for value in _of_body(body)
        if value.name
    }


def _inside(graph: ir.Graph) -> Iterator[ir.Value]:
    for node in graph:
        for _, body in bodies_of(node):
            yield from _of_body(body)


def _of_body(body: ir.Graph) -> Iterator[ir.Value]:
    stored = (v for v in body.initializers.values() if not v.is_graph_input())
    yield from (*body.inputs, *stored, *_made(body))
    yield from _inside(body)


def _made(graph: ir.Graph) -> Iterator[ir.Value]:
    for node in graph:
        yield from node.outputs
