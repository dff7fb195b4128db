"""A part of a graph as a file would have it: nodes, attributes and names, read back from protobuf.

What is proven is this, and not the objects that a rewrite was made of: an attribute that is lost, a
name that stands for two values, an input in the wrong place are seen.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Mapping
from dataclasses import dataclass, field

import onnx
import onnx_ir as ir

from bnfold.fold.facts.constants import Constant
from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import branches_of, returning
from bnfold.fold.numbers.exact import Exact, of_tensor
from bnfold.fold.proof.bodies import choices_of, given, label_of, shadowed


class CertificateError(Exception):
    """The region could not be run: nothing is proven.

    Args:
        sentence: why.
        advice: what the user could do.
    """

    def __init__(self, sentence: str, advice: str = "") -> None:
        super().__init__(sentence)
        self.advice = advice


class UnknownRankError(CertificateError):
    """The model does not say how many axes a value has."""


@dataclass(frozen=True)
class Written:
    """Nodes in topological order, and what they read.

    Attributes:
        nodes: as they are saved; those with bodies as what they give of what these return.
        constants: by name; floating ones before rounding, large ones unread.
        enters: by name, the run-time values that come from outside.
        fresh: by name, the initializers that a rewrite made.
        seen: names of what is read of it outside.
        stacked: by name, what is made of the turns of a Scan or Loop.
    """

    nodes: tuple[onnx.NodeProto, ...]
    constants: Mapping[str, Exact | Constant]
    enters: Mapping[str, ir.Value]
    fresh: Mapping[str, ir.Value]
    seen: frozenset[str]
    stacked: Mapping[str, ir.Value] = field(default_factory=dict)


def written(
    nodes: Iterable[ir.Node],
    enters: Collection[ir.Value],
    seen: Iterable[ir.Value],
    facts: Facts,
    made: Collection[ir.Value] = (),
) -> Written:
    """The nodes as they are now.

    Args:
        nodes: in topological order.
        enters: the run-time values that are fed.
        seen: what is read outside.
        facts: of the model.
        made: initializers that a rewrite made.

    Raises:
        CertificateError: a name stands for two values, or a value is neither fed nor constant.
        UnknownRankError: a body returns for what is read outside what cannot be fed.
    """
    ordered, read = tuple(nodes), tuple(seen)
    inside = {value for node in ordered for value in node.outputs}
    run = dict.fromkeys(value for node in ordered for value in _ends(node, inside, facts))
    for value in read:
        if value in inside and value not in run:
            raise UnknownRankError(f"the rank of what bodies return as '{value.name}' is not known")
    named: dict[str, ir.Value] = {}
    for value in (*run, *read):
        name = label_of(value, facts)
        if value.name and named.setdefault(name, value) is not value:
            raise CertificateError(f"'{value.name}' is the name of two values")
    hidden = shadowed(named.values(), facts)
    if hidden is not None:
        raise CertificateError(f"'{hidden.name}' is the name of two values")
    outside = {name: value for name, value in named.items() if value not in inside}
    return Written(
        tuple(proto for node in ordered for proto in _protos(node, inside, facts)),
        {n: constant_of(v, facts) for n, v in outside.items() if v not in enters},
        {name: value for name, value in outside.items() if value in enters},
        {name: value for name, value in outside.items() if value in made},
        frozenset(label_of(value, facts) for value in read),
        {
            label_of(made, facts): made
            for node in ordered
            if returning(node) and not branches_of(node)
            for made, _ in choices_of(node, inside, facts)
        },
    )


def _ends(node: ir.Node, inside: Container[ir.Value], facts: Facts) -> list[ir.Value]:
    """What the node reads and makes, as far as the region runs it."""
    if returning(node):
        return [end for made, read in choices_of(node, inside, facts) for end in (made, *read)]
    return [value for value in (*node.inputs, *node.outputs) if value is not None]


def _protos(node: ir.Node, inside: Container[ir.Value], facts: Facts) -> list[onnx.NodeProto]:
    if returning(node):
        return [given(node, made, read, facts) for made, read in choices_of(node, inside, facts)]
    proto = ir.serde.serialize_node(node)
    if facts.body_numbers:
        proto.input[:] = ["" if value is None else label_of(value, facts) for value in node.inputs]
        proto.output[:] = [label_of(value, facts) for value in node.outputs]
    return [proto]


def constant_of(value: ir.Value, facts: Facts) -> Exact | Constant:
    """The constant that the value is; a large one unread.

    Raises:
        CertificateError: it is none, or it is no longer part of the graph.
    """
    maker = value.producer()
    if maker is not None and maker.graph is None:
        raise CertificateError(f"'{value.name}' is read, and what made it is gone")
    tensor = value.const_value
    if maker is None and tensor is not None and tensor.dtype.is_floating_point():
        graph = value.graph
        if graph is None or graph.initializers.get(value.name or "") is not value:
            raise CertificateError(f"'{value.name}' is read, and is gone")
        return of_tensor(tensor)
    exact = facts.exact(value)
    if exact is not None:
        return exact
    constant = facts.constant(value)
    constant = facts.dequantized(value) if constant is None else constant
    if constant is None:
        raise CertificateError(f"'{value.name}' is no constant, and was not read before")
    return constant
