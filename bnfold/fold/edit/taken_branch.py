"""An If whose condition is constant gives way to the body that it takes.

    y = If(c; u, v) = u where c holds in every run, v where it does in none

The nodes of that body then stand in the graph around it, where a batch norm before it, in it or
behind it meets them. What the other body would have made was never computed; it goes, with what is
made for it alone.

It has no log and no proof of its own: both are about one graph, and here nodes move from one to
another. Nothing is computed anew. What checks it is the second opinion, on the whole model.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field

import onnx_ir as ir

from bnfold.fold.edit.discarding import discard, is_named
from bnfold.fold.edit.names import names_of
from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import branches_of, describe, is_op
from bnfold.fresh_names import FreshNames

_RULE = "if"  # whoever skips it keeps every If
_BODIES = ("then_branch", "else_branch")
_ROUNDS = 8  # what gives way may tell the size by which another one is decided


@dataclass
class Taken:
    """What became of Ifs with constant conditions.

    Attributes:
        told: which body each of them takes, in words.
        gone: the batch norms that went with the other bodies, each with its If, in words.
    """

    told: list[str] = field(default_factory=list)
    gone: list[tuple[ir.Node, str]] = field(default_factory=list)


def take_constant_branches(model: ir.Model, skip: Collection[str]) -> Taken:
    """Ifs that every run decides alike are their bodies' nodes, in a model with a batch norm.

    Args:
        model: what is edited; functions stay as they are.
        skip: names of nodes, of tensors that they make, and of rules, that are left alone.
    """
    taken = Taken()
    if _RULE in skip or not any(_is_batch_norm(node) for node in model.graph.all_nodes()):
        return taken
    for _ in range(_ROUNDS):
        ifs = [node for node in model.graph.all_nodes() if branches_of(node)]
        if not ifs or not _take(model, ifs, skip, taken):
            break
    return taken


def _take(model: ir.Model, ifs: list[ir.Node], skip: Collection[str], taken: Taken) -> bool:
    """Whether one of them gave way, by what is known of the model as it is."""
    facts, names, count = Facts(model), _Names(model), len(taken.told)
    never_run: set[ir.Node] = set()
    for node in ifs:
        place = None if node in never_run else _taken(node, facts)
        if place is None:
            continue
        body, other = branches_of(node)[place], branches_of(node)[1 - place]
        inside = list(other.all_nodes())
        if any(is_named(inner, skip) for inner in (node, *inside)):
            continue
        never_run.update(inside)
        name, condition = describe(node), node.inputs[0]
        taken.told.append(f"{name} always takes its {_BODIES[place]}, which stands in its place")
        names.forget(other)
        _give_way(node, body, names)
        gone = dict.fromkeys([*inside, *discard([condition, *_let_go(other)], skip)])
        taken.gone += [(inner, name) for inner in gone if _is_batch_norm(inner)]
    return len(taken.told) > count


def _is_batch_norm(node: ir.Node) -> bool:
    return is_op(node, "BatchNormalization")


def _taken(node: ir.Node, facts: Facts) -> int | None:
    """Which body every run takes, 0 the first; None where that is open, or it cannot be opened."""
    condition = facts.constant(node.inputs[0])
    if condition is None or condition.size != 1:
        return None
    place = 0 if condition.reshape(-1)[0] else 1
    body = branches_of(node)[place]
    makers = [value.producer() for value in body.outputs]
    if any(maker is None or maker.graph is not body for maker in makers):
        return None
    # before IR version 4 an initializer of the graph has to be an input too
    return None if facts.listed_initializers and body.initializers else place


class _Names:
    """The names of a model's values: bodies beside one another may have the same."""

    def __init__(self, model: ir.Model) -> None:
        self._counts = Counter(v.name for graph in model.graphs() for v in _values(graph))
        self._fresh = FreshNames(names_of(model))

    def forget(self, body: ir.Graph) -> None:
        """The body's values are gone."""
        for graph in (body, *body.subgraphs()):
            self._counts.subtract(value.name for value in _values(graph))

    def make_own(self, value: ir.Value) -> None:
        """Nothing else has the value's name."""
        if value.name and self._counts[value.name] > 1:
            self._counts[value.name] -= 1
            value.name = self._fresh(value.name)


def _values(graph: ir.Graph) -> dict[ir.Value, None]:
    """What has its name in this graph."""
    made = (value for node in graph for value in node.outputs)
    return dict.fromkeys([*graph.inputs, *graph.initializers.values(), *made])


def _give_way(node: ir.Node, body: ir.Graph, names: _Names) -> None:
    """The body's nodes stand in the node's place, under names that nothing else has."""
    graph, returned, nodes = node.graph, list(body.outputs), list(body)
    assert graph is not None, "it stands in a graph"
    body.outputs.clear()
    for value in list(body.initializers.values()):
        del body.initializers[value.name or ""]
        names.make_own(value)
        graph.register_initializer(value)
    body.remove(nodes)
    for inner in nodes:
        for value in inner.outputs:
            names.make_own(value)
    graph.insert_before(node, nodes)
    for made, given in zip(node.outputs, returned, strict=True):
        kept = _named(made, given, node) if made.is_graph_output() else given
        made.replace_all_uses_with(kept, replace_graph_outputs=True)
    graph.remove(node, safe=True)


def _named(made: ir.Value, given: ir.Value, node: ir.Node) -> ir.Value:
    """What the caller gets by that name; of an Identity, where it has another name already."""
    if given.is_graph_output():
        identity = ir.Node("", "Identity", [given])
        assert node.graph is not None, "it stands in a graph"
        node.graph.insert_before(node, identity)
        given = identity.outputs[0]
    given.name, given.type, given.shape = made.name, made.type, made.shape
    given.doc_string = made.doc_string
    given.metadata_props.update(made.metadata_props)
    return given


def _let_go(body: ir.Graph) -> list[ir.Value]:
    """The body reads nothing any more; what it read is returned, in order."""
    read: list[ir.Value | None] = []
    for graph in (body, *body.subgraphs()):
        read.extend(graph.outputs)
        graph.outputs.clear()
        for node in graph:
            read.extend(node.inputs)
            for index in range(len(node.inputs)):
                node.replace_input_with(index, None)
    return [value for value in dict.fromkeys(read) if value is not None]
