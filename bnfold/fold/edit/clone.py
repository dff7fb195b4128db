"""A linear operator with several readers is duplicated, so that one of them can fold into its own.

The price is the operator's work, done twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import onnx_ir as ir

from bnfold.fold.edit.engine import Engine
from bnfold.fold.facts.node import is_op

PRICE = "clone"


def can_clone(node: ir.Node, index: int) -> bool:
    """Whether the node reads a linear operator whose output others read too."""
    x = node.inputs[index]
    producer = None if x is None else x.producer()
    if x is None or producer is None or producer.graph is not node.graph:
        return False
    shared = len(x.uses()) > 1 or x.is_graph_output()
    return shared and is_op(producer, "Conv", "ConvTranspose", "Gemm", "MatMul")


@contextmanager
def cloned(node: ir.Node, index: int, engine: Engine) -> Iterator[Callable[[], None]]:
    """Within, the node reads a clone of its own; afterwards no more, unless told to keep it."""
    x = node.inputs[index]
    producer = None if x is None else x.producer()
    assert x is not None and producer is not None
    clone = engine.clone(producer)
    node.replace_input_with(index, clone.outputs[0])
    kept: list[bool] = []
    try:
        yield lambda: kept.append(True)
    finally:
        if not kept:
            node.replace_input_with(index, x)
            assert clone.graph is not None
            clone.graph.remove(clone, safe=True)
