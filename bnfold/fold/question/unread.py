"""Nodes that nobody reads: a head whose output was dropped from the model, say."""

from __future__ import annotations

import onnx_ir as ir

from bnfold.fold.facts.node import graphs_of

_MOST = 64  # nodes that go together: what is larger than a head is part of the network


class UnreadNodes:
    """The nodes of a model of which no output of it comes, as the model was at first.

    A fold does not change that: what it puts in a node's place is read by those who read the node.
    """

    def __init__(self, model: ir.Model) -> None:
        self._nodes: set[ir.Node] = set()
        for graph in model.graphs():
            self._nodes.update(_unread(graph))

    def behind(self, node: ir.Node) -> tuple[ir.Node, ...]:
        """The node and all behind it, where no output of the graph comes of it; else none."""
        if node not in self._nodes:
            return ()
        found: dict[ir.Node, None] = {}
        pending = [node]
        while pending:
            reader = pending.pop()
            if reader in found:
                continue
            found[reader] = None
            if len(found) > _MOST:
                return ()
            pending.extend(use.node for value in reader.outputs for use in value.uses())
        return tuple(found)


def _unread(graph: ir.Graph) -> set[ir.Node]:
    """Those from which no way leads to an output, into another graph, or to one with a body."""
    nodes = list(graph)
    read: set[ir.Node] = set()
    for node in reversed(nodes):
        uses = [use.node for value in node.outputs for use in value.uses()]
        if (
            any(value.is_graph_output() for value in node.outputs)
            or any(user in read or user.graph is not graph for user in uses)
            or graphs_of(node)
        ):
            read.add(node)
    return set(nodes) - read
