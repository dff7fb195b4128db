"""Nodes that nobody reads: a head whose output was dropped from the model, say."""

from __future__ import annotations

import onnx_ir as ir

_MOST = 64  # nodes looked at: what is larger than a head is part of the network


def unread_nodes(node: ir.Node) -> tuple[ir.Node, ...]:
    """The node and all behind it, where no output of the graph comes of it; else none."""
    found: dict[ir.Node, None] = {}
    pending = [node]
    while pending:
        reader = pending.pop()
        if reader in found:
            continue
        found[reader] = None
        if len(found) > _MOST or reader.graph is not node.graph or _has_body(reader):
            return ()
        if any(value.is_graph_output() for value in reader.outputs):
            return ()
        pending.extend(use.node for value in reader.outputs for use in value.uses())
    return tuple(found)


def _has_body(node: ir.Node) -> bool:
    kinds = (ir.AttributeType.GRAPH, ir.AttributeType.GRAPHS)
    return any(attribute.type in kinds for attribute in node.attributes.values())
