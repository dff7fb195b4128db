"""Graphs that nodes run: the bodies of If, Loop, Scan and SequenceMap, and what goes in and out.

    Loop           (m, c, s_1, ...)            body (i, c, s_1, ...)      gives (c, s_1, ..., rows)
    Scan           (s_1, ..., x_1, ...)        body (s_1, ..., x_1, ...)  gives (s_1, ..., rows)
    SequenceMap    (x_1, ...)                  body (x_1, ...)            gives elements

What a body reads of the graph around it is the same value there. Source: ONNX operators, Loop-16.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import onnx_ir as ir

_OF_A_LOOP = 2
"""The number of a turn and the condition go before what a body of a Loop carries."""


def bodies_of(node: ir.Node) -> Iterator[tuple[str, ir.Graph]]:
    """The graphs that the node runs, each with the attribute that holds it."""
    for name, attribute in node.attributes.items():
        if attribute.type == ir.AttributeType.GRAPH and not attribute.is_ref():
            yield name, attribute.as_graph()


def taken_in(node: ir.Node, body: ir.Graph) -> Iterator[tuple[ir.Value, ir.Value]]:
    """The inputs of a body, each with the operand of the node that it is, or begins with."""
    if node.op_type == "If":
        return
    operands: Sequence[ir.Value | None] = node.inputs
    inputs = list(body.inputs)
    if node.op_type == "Loop":
        operands, inputs = operands[_OF_A_LOOP:], inputs[_OF_A_LOOP:]
    elif node.op_type == "Scan":
        operands = operands[max(0, len(operands) - len(inputs)) :]  # Scan-8 has lengths in front
    for inner, operand in zip(inputs, operands, strict=False):
        if operand is not None:
            yield inner, operand


def given_out(node: ir.Node, body: ir.Graph) -> Iterator[tuple[ir.Value, ir.Value]]:
    """The outputs of a body, each with the output of the node that comes of it."""
    outputs = list(body.outputs)[node.op_type == "Loop" :]
    yield from zip(outputs, node.outputs, strict=False)


def turns_of(node: ir.Node) -> ir.Value | None:
    """The number of a turn in the body of a Loop; None for any other node."""
    body = next((body for name, body in bodies_of(node) if name == "body"), None)
    if node.op_type != "Loop" or body is None or not body.inputs:
        return None
    return body.inputs[0]
