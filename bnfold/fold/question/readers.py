"""The readers of a value that changes: each sees what it did, or takes what is left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import islice

import numpy as np
import onnx_ir as ir

from bnfold.fold.facts.node import describe, is_op, reads_no_number, scope_of
from bnfold.fold.facts.operator_facts import PARTS
from bnfold.fold.numbers.affine import Affine, agree
from bnfold.fold.numbers.quotient import behind, has_gaps
from bnfold.fold.plan import Leave, Move, Refusal, Remove
from bnfold.fold.question.asking import NESTED, OUTPUT, UNKNOWN_SHAPE, Asking, Offer
from bnfold.fold.question.condition import ill_conditioned
from bnfold.fold.question.present import ask_as_it_stands
from bnfold.fold.question.state import Edge, State

_MOST = 16  # that read a value through an inverse: each is asked each time
_MANY = Refusal(
    "other-reader", f"more than {_MOST} others read its output, which need it unchanged"
)
_UNEQUAL = Refusal("other-reader", "its readers need different values")


class Readers:
    """Tells the readers of values what becomes of those.

    Args:
        asking: asks the rules.
        inverses: whether readers may be asked for an inverse; else they stay as they are.
    """

    def __init__(self, asking: Asking, *, inverses: bool) -> None:
        self._asking = asking
        self._facts = asking.facts
        self._inverses = inverses

    def see(self, state: State, node: ir.Node, passes: Mapping[int, Affine]) -> Refusal | None:
        """The readers of the node's outputs read through these affines, which go on to them."""
        for index, affine in passes.items():
            if affine.is_identity:
                continue
            value = node.outputs[index]
            if self._facts.leaves(value):
                return _output(value)
            if not affine.fits(self._facts.dims(value)):
                return _at(UNKNOWN_SHAPE, value)
            state.carry_less(value, affine)
            for edge in self._edges(value):
                reader = edge[0]
                if scope_of(*edge) is not node.graph:
                    return replace(NESTED, at=describe(reader))
                if not reads_no_number(*edge) and not self._is_left_out(state, reader):
                    whole = state.residue(edge, affine.rank).after(affine)
                    state.put(edge, whole, backward=False)
        return None

    def serve(self, state: State, value: ir.Value) -> Affine | Refusal | None:
        """What the value becomes for those who ask, the others reading through the inverse.

        None where nobody asks.
        """
        edges = self._edges(value)
        asked = {edge: state.residues[edge] for edge in edges if state.backward.get(edge)}
        if not asked:
            return None
        wanted = list(asked.values())
        demand = agree(wanted)
        if demand is None and self._inverses and len({reader for reader, _ in asked}) > 1:
            demand = wanted[0]  # one of them is served; the others undo what differs
        if demand is None:
            return _at(_UNEQUAL, value)
        others = [edge for edge in edges if edge not in asked]
        # who reads parts is asked only where his part changes; and counting ends at the bound, as a
        # value may have thousands of readers
        whole = (reader for reader, _ in others if not is_op(reader, *PARTS))
        if next(islice(whole, _MOST, None), None) is not None:
            return _at(_MANY, value)
        if any(self._notices(state, edge) for edge in others):
            demand = _as_it_is(demand)
        demand = demand.settled()
        return self.change(state, value, demand) or demand

    def change(self, state: State, value: ir.Value, demand: Affine) -> Refusal | None:
        """The value is made with the affine in it; whoever reads it sees what he did before."""
        if self._facts.leaves(value):
            return _output(value)
        if not demand.fits(self._facts.dims(value)):
            return _at(UNKNOWN_SHAPE, value)
        state.carry(value, demand)
        for edge in self._edges(value):
            if not self._notices(state, edge):
                continue
            left = behind(_met(state.residue(edge, demand.rank), demand), demand)
            state.take(edge)
            if not left.is_identity or has_gaps(left):  # a gap: no inverse there, as s is 0
                refusal = self._leave_to(state, value, edge, left)
                if refusal is not None:
                    return refusal
        return None

    def _edges(self, value: ir.Value) -> list[Edge]:
        """Where the value is read, in topological order."""
        found = self._facts.readers(value)
        self._asking.spend(len(found))
        return found

    def _notices(self, state: State, edge: Edge) -> bool:
        """Whether numbers are read there, by somebody who is read himself."""
        if edge in state.residues:
            return True
        return not (reads_no_number(*edge) or self._is_left_out(state, edge[0]))

    def _is_left_out(self, state: State, reader: ir.Node) -> bool:
        """Whether nobody reads what the reader makes: it goes then, with those behind it."""
        if isinstance(state.steps.get(reader), Remove):
            return True
        unread = () if self._asking.skipped.has_node(reader) else self._asking.unread.behind(reader)
        if any(node in state.steps for node in unread):
            return False
        for node in unread:
            state.set(state.steps, node, Remove())
        return bool(unread)

    def _leave_to(self, state: State, value: ir.Value, edge: Edge, left: Affine) -> Refusal | None:
        """The reader takes what is left, an inverse for the most part; or does not notice it."""
        reader, index = edge
        producer = value.producer()
        assert producer is not None, "somebody makes what is changed"
        here, plain = scope_of(*edge) is producer.graph, self._inverses and not has_gaps(left)
        if here and not plain and is_op(reader, *PARTS):
            step = state.steps.get(reader)
            offers = ask_as_it_stands(self._asking, reader, step, {index: left}, backward=False)
            if any(isinstance(offer, Offer) and _is_unnoticed(offer.move) for offer in offers[:1]):
                if step is None:
                    state.set(state.steps, reader, Leave({}))
                return None
        if not (here and plain):
            sentence = f"its output is also read by {describe(reader)}, which needs it unchanged"
            return _at(Refusal("other-reader", sentence), value)
        refusal = ill_conditioned(value, left, self._asking)
        if refusal is not None:
            return _at(refusal, value)
        state.put(edge, left, backward=False)
        state.set(state.undone, describe(reader), maker_text(value))
        return None


def because(state: State, refusal: Refusal) -> Refusal:
    """The refusal, told as what keeps another reader from taking the inverse."""
    if not state.undone:
        return refusal
    reader, maker = next(iter(state.undone.items()))
    where = "" if refusal.at == reader else f" {refusal.at}:"
    return Refusal(
        "other-reader",
        f"its output is also read by {reader}, which cannot take the inverse:{where} "
        f"{refusal.sentence}",
        at=maker,
        advice=refusal.advice,
    )


def maker_text(value: ir.Value) -> str:
    """What makes the value, as messages name it."""
    producer = value.producer()
    return f"tensor '{value.name}'" if producer is None else describe(producer)


def _at(refusal: Refusal, value: ir.Value) -> Refusal:
    return replace(refusal, at=maker_text(value))


def _output(value: ir.Value) -> Refusal:
    return replace(OUTPUT, at=f"output '{value.name}'")


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
