"""The one search: an affine that stands on an edge leaves a node by any other end, or is absorbed.

Two moves, of which every fold is made. *Pull*: what makes a value v makes A(v) in its place, and
each reader sees what it did: it reads through R A^-1 where it read through R. *Push*: a node takes
the affines on its inputs, and its readers take what it passes. A node may ask back: it passes s
where its other input arrives with s, which is a pull of 1 / s there. So a shift turns round at an
Add, a second batch norm takes the inverse of the first, and no plan changes what the model computes
however the two are put together; it is complete when nothing stands on an edge any more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import onnx_ir as ir

from bnfold.fold.facts.node import describe, is_op, reads_no_number
from bnfold.fold.facts.operators import JOINS
from bnfold.fold.numbers.affine import Affine, agree, identity
from bnfold.fold.numbers.quotient import before, behind, has_gaps
from bnfold.fold.plan import Leave, Move, PassBy, Refusal, Remove
from bnfold.fold.question.asking import (
    LONE_SCALAR,
    NESTED,
    OUTPUT,
    UNKNOWN_SHAPE,
    Asking,
    Offer,
    no_rule,
)
from bnfold.fold.question.condition import ill_conditioned
from bnfold.fold.question.present import ask_as_it_stands, changed, with_constant
from bnfold.fold.question.state import Edge, State
from bnfold.fold.question.unread import unread_nodes
from bnfold.fold.sources.source import Source, source_of

_FAR = 400  # nodes asked about per question: what keeps the whole fold linear
_NEARBY = 120  # where others are asked for inverses, there is more to try and less to find far away
_TURNS = 3  # how often one node is asked: it may be reached from each side
_MOST_READERS = 16  # of a value that others read through an inverse: each is asked each time
_MANY_READERS = Refusal(
    "other-reader", f"more than {_MOST_READERS} others read its output, which need it unchanged"
)
_UNEQUAL = "unequal-branches"
_CIRCLE = Refusal("goes-in-circles", "what it passes on comes back to it")
_PARTS = ("Slice", "Gather", "Split")


class Moving:
    """Moves affines until none is left.

    Args:
        asking: asks the rules.
        inverses: whether other readers, and other inputs of a join, may be asked for an inverse;
            else they stay as they are.
    """

    def __init__(self, asking: Asking, *, inverses: bool) -> None:
        self._asking = asking
        self._facts = asking.facts
        self._inverses = inverses
        self._unread: dict[ir.Node, tuple[ir.Node, ...]] = {}

    def solve(self, begun: State | Refusal) -> State | Refusal:
        """The first state in which nothing is left; or why there is none."""
        self._asking.begin(_NEARBY if self._inverses else _FAR)
        first: Refusal | None = None
        alternatives: list[tuple[Iterator[State | Refusal], int]] = [(iter([begun]), 0)]
        while alternatives:
            states, before_it = alternatives[-1]
            found = next(states, None)
            if found is None:
                alternatives.pop()
            elif isinstance(found, Refusal):
                if first is None or first.code == _UNEQUAL:
                    first = found
                if found.code == "search-limit":
                    break
            elif not found.residues:
                return found
            else:
                if len(found.residues) < before_it:
                    self._asking.ended()
                alternatives.append((self._next(found), len(found.residues)))
        assert first is not None, "a question that ends without an answer has met a refusal"
        return first

    def request(self, state: State, node: ir.Node, passes: Mapping[int, Affine]) -> Refusal | None:
        """The node reads through these affines, which go back to what makes its inputs."""
        for index, affine in passes.items():
            if affine.is_identity:
                continue
            value = node.inputs[index]
            assert value is not None
            if self._facts.is_constant(value):
                refusal = self._change_constant(state, node, index, affine)
                if refusal is not None:
                    return refusal
                continue
            producer = value.producer()
            if producer is None:
                return _no_producer(value, node)
            if producer.graph is not node.graph:
                return replace(NESTED, at=describe(node))
            edge = (node, index)
            whole = affine.after(state.residue(edge, affine.rank))
            state.put(edge, whole, backward=True)
        return None

    def _change_constant(
        self, state: State, node: ir.Node, index: int, affine: Affine
    ) -> Refusal | None:
        exact = state.constants.get((node, index)) or self._facts.exact(node.inputs[index])
        fresh = changed(exact, affine, grows=is_op(node, *JOINS))
        if isinstance(fresh, Refusal):
            return replace(fresh, at=describe(node))
        step = state.steps.get(node)
        if isinstance(step, PassBy):
            state.constants[node, index] = fresh
        else:
            state.steps[node] = with_constant(node, step, index, fresh)
        return None

    def pass_on(self, state: State, node: ir.Node, passes: Mapping[int, Affine]) -> Refusal | None:
        """The readers of the node's outputs read through these affines, which go on to them."""
        for index, affine in passes.items():
            if affine.is_identity:
                continue
            value = node.outputs[index]
            if value.is_graph_output():
                return replace(OUTPUT, at=f"output '{value.name}'")
            if not affine.fits(self._facts.dims(value)):
                return replace(UNKNOWN_SHAPE, at=describe(node))
            state.carry_less(value, affine)
            for edge in self._facts.readers(value):
                reader = edge[0]
                if reader.graph is not node.graph:
                    return replace(NESTED, at=describe(reader))
                if not reads_no_number(*edge) and not self._left_out(state, reader):
                    whole = state.residue(edge, affine.rank).after(affine)
                    state.put(edge, whole, backward=False)
        return None

    def _next(self, state: State) -> Iterator[State | Refusal]:
        """The states after one node was asked: the last one that an affine goes back to, first."""
        makers = {_maker(edge) for edge in state.back}
        if makers:
            node = max(makers, key=self._facts.order)
        else:
            node = min((reader for reader, _ in state.ahead), key=self._facts.order)
        refusal = self._asking.visit(node)
        if refusal is None and state.asked.get(node, 0) >= _TURNS:
            refusal = replace(_CIRCLE, at=describe(node))
        if refusal is not None:
            yield refusal
            return
        state.asked[node] = state.asked.get(node, 0) + 1
        if makers:
            yield from self._pulled(state, node)
        else:
            yield from self._pushed(state, node)

    def _pulled(self, state: State, node: ir.Node) -> Iterator[State | Refusal]:
        """The states in which the node makes what its readers ask for."""
        demands: dict[int, Affine] = {}
        for index, value in enumerate(node.outputs):
            asked = {edge: state.residues[edge] for edge in state.back if _value(edge) is value}
            if asked:
                found = self._served(state, value, asked)
                if isinstance(found, Refusal):
                    yield found
                    return
                demands[index] = found
        offers = self._ask(state, node, demands, backward=True)
        for own, offer in _with_states(state, offers):
            if isinstance(offer, Refusal):
                yield offer
                continue
            self._take(own, node, offer)
            refusal = self.request(own, node, offer.move.passes)
            for index, wanted in _wants(offer.move).items():
                if refusal is None and not wanted.is_identity:
                    refusal = self._changed(own, node.outputs[index], wanted)
            yield refusal or own
        if not offers:
            yield no_rule(node)

    def _pushed(self, state: State, node: ir.Node) -> Iterator[State | Refusal]:
        """The states in which the node has taken what stands on its inputs."""
        edges = ((node, index) for index in range(len(node.inputs)))
        gauges = {edge[1]: state.residues[edge] for edge in edges if edge in state.residues}
        for index in gauges:
            state.take((node, index))
        if self._inverses and self._is_lone_scalar(node):
            yield _because(state, replace(LONE_SCALAR, at=describe(node)))
            return
        offers = self._ask(state, node, gauges, backward=False)
        for own, offer in _with_states(state, offers):
            if isinstance(offer, Refusal):
                yield _because(own, offer)
                continue
            recruited = self._recruited(own, node, offer.move, gauges)
            if recruited is not None:
                yield recruited
            self._take(own, node, offer)
            refusal = self._wanted(own, node, offer.move, gauges)
            refusal = refusal or self.pass_on(own, node, offer.move.passes)
            yield own if refusal is None else _because(own, refusal)
        if not offers:
            yield _because(state, no_rule(node))

    def _is_lone_scalar(self, node: ir.Node) -> bool:
        source = source_of(node, self._facts)
        if not isinstance(source, Source) or source.is_batch_norm:
            return False
        return source.affine.entries == 1

    def _ask(
        self, state: State, node: ir.Node, affines: Mapping[int, Affine], *, backward: bool
    ) -> list[Offer | Refusal]:
        step = state.steps.get(node)
        return list(ask_as_it_stands(self._asking, node, step, affines, backward=backward))

    def _take(self, state: State, node: ir.Node, offer: Offer) -> None:
        known = state.steps.get(node)
        if known is None or not isinstance(offer.move, Leave):
            state.steps[node] = offer.move
        state.rules = (*state.rules, offer.rule)

    def _served(
        self, state: State, value: ir.Value, asked: Mapping[Edge, Affine]
    ) -> Affine | Refusal:
        """What the value becomes for those who ask, the others reading through the inverse."""
        wanted = list(asked.values())
        demand = agree(wanted)
        if demand is None and self._inverses and len({reader for reader, _ in asked}) > 1:
            demand = wanted[0]
        if demand is None:
            return _unequal(value)
        uses = ((use.node, use.idx) for use in value.uses())
        if sum(e not in asked and not is_op(e[0], *_PARTS) for e in uses) > _MOST_READERS:
            return replace(_MANY_READERS, at=_maker_text(value))
        if any(edge not in asked for edge in self._others(state, value)):
            demand = _as_it_is(demand)
        demand = demand.settled()
        return self._changed(state, value, demand) or demand

    def _changed(self, state: State, value: ir.Value, demand: Affine) -> Refusal | None:
        """The value is made with the affine in it; whoever reads it sees what he did before."""
        if value.is_graph_output():
            return replace(OUTPUT, at=f"output '{value.name}'")
        if not demand.fits(self._facts.dims(value)):
            return replace(UNKNOWN_SHAPE, at=_maker_text(value))
        state.carry(value, demand)
        for edge in self._others(state, value):
            left = behind(_met(state.residue(edge, demand.rank), demand), demand)
            state.take(edge)
            if not left.is_identity or has_gaps(left):
                refusal = self._left_to(state, value, edge, left)
                if refusal is not None:
                    return refusal
        return None

    def _others(self, state: State, value: ir.Value) -> list[Edge]:
        """Where numbers of the value are read by somebody who is read himself."""
        return [
            edge
            for edge in self._facts.readers(value)
            if edge in state.residues
            or not (reads_no_number(*edge) or self._left_out(state, edge[0]))
        ]

    def _left_out(self, state: State, reader: ir.Node) -> bool:
        """Whether nobody reads what the reader makes: it goes then, with those behind it."""
        if isinstance(state.steps.get(reader), Remove):
            return True
        if reader not in self._unread:
            skipped = self._asking.skipped.has_node(reader)
            self._unread[reader] = () if skipped else unread_nodes(reader)
        unread = self._unread[reader]
        if any(node in state.steps for node in unread):
            return False
        state.steps.update(dict.fromkeys(unread, Remove()))
        return bool(unread)

    def _left_to(self, state: State, value: ir.Value, edge: Edge, left: Affine) -> Refusal | None:
        """The reader takes what is left, an inverse for the most part; or does not notice it."""
        reader, index = edge
        producer = value.producer()
        assert producer is not None, "somebody makes what is changed"
        here, plain = reader.graph is producer.graph, self._inverses and not has_gaps(left)
        if here and not plain and is_op(reader, *_PARTS):
            offers = self._ask(state, reader, {index: left}, backward=False)
            if any(isinstance(offer, Offer) and _is_unnoticed(offer.move) for offer in offers[:1]):
                state.steps.setdefault(reader, Leave({}))
                return None
        if not (here and plain):
            return Refusal(
                "other-reader",
                f"its output is also read by {describe(reader)}, which needs it unchanged",
                at=_maker_text(value),
            )
        refusal = ill_conditioned(value, left, self._facts)
        if refusal is not None:
            return replace(refusal, at=_maker_text(value))
        state.put(edge, left, backward=False)
        state.undone = state.undone or (describe(reader), _maker_text(value))
        return None

    def _recruited(
        self, state: State, node: ir.Node, move: Move, gauges: Mapping[int, Affine]
    ) -> State | None:
        """The state in which a source with the scale that a join wants goes ahead too."""
        for index, wanted in _wants(move).items():
            value = node.inputs[index]
            producer = None if value is None else value.producer()
            if index in gauges or producer is None or producer in state.steps:
                continue
            source = source_of(producer, self._facts)
            if not isinstance(source, Source) or self._asking.skipped.has_node(producer):
                continue
            if not source.affine.only_scale().equals(wanted.only_scale()):
                continue
            own = state.copy()
            own.steps[producer] = PassBy(source.index)
            for place, gauge in gauges.items():
                own.put((node, place), gauge, backward=False)
            return own if self.pass_on(own, producer, {0: source.affine}) is None else None
        return None

    def _wanted(
        self, state: State, node: ir.Node, move: Move, gauges: Mapping[int, Affine]
    ) -> Refusal | None:
        """The other inputs are asked for the inverse of what the node wants on them."""
        for index, wanted in _wants(move).items():
            arrived = gauges.get(index, identity(wanted.rank))
            left = before(arrived, wanted)
            if left.is_identity and not has_gaps(left):
                continue
            value = node.inputs[index]
            assert value is not None
            if not self._inverses or has_gaps(left):
                sentence = "its inputs do not all carry the same affine"
                return Refusal(_UNEQUAL, sentence, at=describe(node))
            refusal = ill_conditioned(value, left.only_scale(), self._facts)
            refusal = refusal or self.request(state, node, {index: left})
            if refusal is not None:
                return replace(refusal, at=refusal.at or describe(node))
        return None


def _with_states(
    state: State, offers: list[Offer | Refusal]
) -> Iterator[tuple[State, Offer | Refusal]]:
    """Each alternative with a state of its own; the last one may have the first."""
    for place, offer in enumerate(offers):
        alone = place == len(offers) - 1 or isinstance(offer, Refusal)
        yield state if alone else state.copy(), offer


def _value(edge: Edge) -> ir.Value:
    value = edge[0].inputs[edge[1]]
    assert value is not None, "an edge is where a value is read"
    return value


def _maker(edge: Edge) -> ir.Node:
    producer = _value(edge).producer()
    assert producer is not None, "nothing goes back to an input of the graph"
    return producer


def _wants(move: Move) -> Mapping[int, Affine]:
    return {} if isinstance(move, PassBy) else move.wants


def _as_it_is(affine: Affine) -> Affine:
    """What nobody asks of the value stays, as somebody else reads it."""
    scale, shift = np.broadcast_arrays(affine.scale, affine.shift)
    return Affine(np.where(np.isnan(scale), 1.0, scale), np.where(np.isnan(shift), 0.0, shift))


def _met(affine: Affine, demand: Affine) -> Affine:
    """The affine, as the demand is where any will do."""
    gaps = np.isnan(affine.scale)
    if not np.any(gaps):
        return affine
    return Affine(
        np.where(gaps, demand.scale, affine.scale), np.where(gaps, demand.shift, affine.shift)
    )


def _is_unnoticed(move: Move) -> bool:
    """Whether the node stays as it is, and whoever reads it."""
    if not isinstance(move, Leave) or move.wants:
        return False
    return all(a.is_identity and not has_gaps(a) for a in move.passes.values())


def _because(state: State, refusal: Refusal) -> Refusal:
    """The refusal, told as what keeps another reader from taking the inverse."""
    if state.undone is None:
        return refusal
    reader, maker = state.undone
    where = "" if refusal.at == reader else f" {refusal.at}:"
    return Refusal(
        "other-reader",
        f"its output is also read by {reader}, which cannot take the inverse:{where} "
        f"{refusal.sentence}",
        at=maker,
        advice=refusal.advice,
    )


def _unequal(value: ir.Value) -> Refusal:
    sentence = "its readers need different values"
    return Refusal("other-reader", sentence, at=_maker_text(value))


def _maker_text(value: ir.Value) -> str:
    producer = value.producer()
    return f"tensor '{value.name}'" if producer is None else describe(producer)


def _no_producer(value: ir.Value, node: ir.Node) -> Refusal:
    if value.is_initializer():
        return Refusal(
            "overridable-constant",
            f"'{value.name}' is an initializer that the caller may override",
            at=describe(node),
            advice="remove it from the graph's inputs to make it a constant",
        )
    return Refusal(
        "graph-input", f"'{value.name}' comes from outside the graph", at=f"input '{value.name}'"
    )
