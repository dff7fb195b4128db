"""Along which axes a Softmax sums to 1."""

from __future__ import annotations

import onnx_ir as ir

from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import attribute_of, is_op

_ONE_AXIS = 13  # the opset since which Softmax works along one axis; before, along all from it on


def softmax_axes(node: ir.Node, rank: int, facts: Facts) -> tuple[int, ...]:
    """The axes that a Softmax or LogSoftmax of a value of this rank works along."""
    opset = node.version or facts.opset()
    axis = attribute_of(node, "axis", -1 if opset >= _ONE_AXIS else 1) % rank
    return (axis,) if opset >= _ONE_AXIS else tuple(range(axis, rank))


def softmax_behind(node: ir.Node, value: ir.Value | None) -> ir.Node | None:
    """The Softmax of the node's own graph that makes the value which it reads."""
    producer = None if value is None else value.producer()
    here = is_op(producer, "Softmax") and producer is not None and producer.graph is node.graph
    return producer if here else None
