"""What nobody reads any more goes, with what was made for it alone."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import onnx_ir as ir

from bnfold.fold.facts.node import graphs_of, is_read


def discard(values: Sequence[ir.Value | None], skip: Collection[str]) -> list[ir.Node]:
    """These values are gone where nobody reads them: the nodes that went.

    Args:
        values: to look at.
        skip: names of nodes, and of tensors that they make, that stay.
    """
    pending, gone = list(values), list[ir.Node]()
    while pending:
        value = pending.pop()
        if value is None or is_read(value):
            continue
        maker = value.producer()
        if maker is None:
            if value.is_initializer() and not value.is_graph_input() and value.graph is not None:
                del value.graph.initializers[value.name or ""]
        elif maker.graph is not None and _is_dead(maker) and not is_named(maker, skip):
            pending.extend(maker.inputs)
            gone.append(maker)
            maker.graph.remove(maker, safe=True)
    return gone


def is_named(node: ir.Node, names: Collection[str]) -> bool:
    """Whether the node, or a tensor that it makes, is among the names."""
    return any(name in names for name in (node.name, *(value.name for value in node.outputs)))


def _is_dead(node: ir.Node) -> bool:
    """Whether nobody reads what the node makes, and it has no body in which anything is read."""
    return not graphs_of(node) and not any(map(is_read, node.outputs))
