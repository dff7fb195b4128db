"""What the user asked to leave alone: nodes, by name or by a tensor that they make, and rules."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from difflib import get_close_matches

import onnx_ir as ir

from bnfold.errors import UsageError

_MOST = 5  # names that a message offers


@dataclass(frozen=True)
class Skipped:
    """What a fold leaves alone.

    Attributes:
        nodes: as objects, since a fold may give the tensor that named one another name.
        rules: by name.
    """

    nodes: frozenset[ir.Node] = frozenset()
    rules: frozenset[str] = frozenset()

    def has_node(self, node: ir.Node) -> bool:
        """Whether the node was asked to stay as it is."""
        return node in self.nodes


def skipped_in(model: ir.Model, names: Collection[str], rules: Collection[str]) -> Skipped:
    """What the names stand for in the model.

    Args:
        model: with the functions inlined that can be.
        names: of nodes, of tensors for the nodes that make them, of rules; a node's own name
            comes before a tensor's.
        rules: all that there are.

    Raises:
        UsageError: a name stands for nothing here: it would skip nothing.
    """
    if not names:
        return Skipped()
    named: dict[str, set[ir.Node]] = {}
    makers: dict[str, set[ir.Node]] = {}
    for node in _nodes(model):
        named.setdefault(node.name or "", set()).add(node)
        for value in node.outputs:
            makers.setdefault(value.name or "", set()).add(node)
    nodes = {**makers, **named}
    nodes.pop("", None)
    for name in sorted(names):
        if name not in nodes and name not in rules:
            raise UsageError(_unknown(name, nodes, rules))
    chosen = (nodes.get(name, set()) for name in names)
    return Skipped(frozenset().union(*chosen), frozenset(names) & frozenset(rules))


def _unknown(name: str, nodes: Collection[str], rules: Collection[str]) -> str:
    """That the name stands for nothing, and the names that would do."""
    near = get_close_matches(name, [*nodes, *rules], n=_MOST)
    text = f"nothing to skip: '{name}' is neither a node of the model nor a rule"
    text += f"; near it: {', '.join(near)}" if near else ""
    return f"{text}; the rules are {', '.join(rules)}; `bnfold inspect --all` lists the nodes"


def _nodes(model: ir.Model) -> Iterator[ir.Node]:
    for graph in (*model.graphs(), *(function.graph for function in model.functions.values())):
        yield from graph
