"""Backward: a *demand* on a value asks its producer to make `A(v)` in place of `v`.

Nodes are visited last first, so that all readers of a value have spoken before its producer is
asked. A constant on the way takes the affine itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import onnx_ir as ir

from bnfold.fold.facts.node import describe, is_op, reads_no_number
from bnfold.fold.facts.operators import JOINS
from bnfold.fold.numbers.affine import Affine, agree, identity
from bnfold.fold.numbers.exact import Exact, of_array
from bnfold.fold.plan import PassBy, Plan, Refusal
from bnfold.fold.question.asking import NESTED, NO_RULE, OUTPUT, UNKNOWN_SHAPE, Asking, Offer, State
from bnfold.fold.sources.source import Source


class Backward:
    """Moves an affine to what makes its input."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    def plan(self, source: Source, affine: Affine) -> Plan | Refusal:
        """How the source's input is made with the affine in it, or what stops that."""
        self._asking.begin()
        start = State({source.node: PassBy(source.index)})
        begun = self._demand(start, source.node, {source.index: affine})
        found = begun if isinstance(begun, Refusal) else self._back(begun)
        return found if isinstance(found, Refusal) else found.plan("backward")

    def _back(self, state: State) -> State | Refusal:
        """The state when all that is pending has answered; alternatives are tried in order."""
        while state.pending:
            node = max(state.pending, key=self._asking.facts.order)
            too_far = self._asking.visit(node)
            if too_far is not None:
                return too_far
            asked = self._offers(state, node)
            if isinstance(asked, Refusal):
                return asked
            state, offers = asked
            if len(offers) != 1 or isinstance(offers[0], Refusal):
                return self._first_that_ends(state, node, offers)
            # a single answer needs no way back: no deeper stack, however many branches there are
            found = self._demand(state.with_offer(node, offers[0]), node, offers[0].move.passes)
            if isinstance(found, Refusal):
                return found
            if found.pending == state.pending:
                self._asking.ended()
            state = found
        return state

    def _offers(
        self, state: State, node: ir.Node
    ) -> tuple[State, Sequence[Offer | Refusal]] | Refusal:
        """What the node answers to all that its readers ask, it being pending no more."""
        demands: dict[int, Affine] = {}
        witnesses: set[ir.Node] = set()
        for index, value in enumerate(node.outputs):
            if value in state.affines:
                demand = self._demand_on(value, state.affines[value], witnesses)
                if isinstance(demand, Refusal):
                    return demand
                demands[index] = demand
        state = replace(
            state, pending=state.pending - {node}, witnesses=state.witnesses | witnesses
        )
        return state, self._asking.ask(node, demands, backward=True)

    def _first_that_ends(
        self, state: State, node: ir.Node, offers: Sequence[Offer | Refusal]
    ) -> State | Refusal:
        refusal: Refusal | None = None
        for offer in offers:
            if isinstance(offer, Refusal):
                refusal = refusal or offer
                continue
            found = self._demand(state.with_offer(node, offer), node, offer.move.passes)
            if not isinstance(found, Refusal):
                found = self._back(found)
            if not isinstance(found, Refusal):
                return found
            refusal = refusal or found
        return refusal or replace(NO_RULE, at=describe(node))

    def _demand_on(
        self,
        value: ir.Value,
        asked: Mapping[tuple[ir.Node, int], Affine],
        witnesses: set[ir.Node],
    ) -> Affine | Refusal:
        """What all readers together ask of the value; one that asks nothing wants it as it is."""
        dims = self._asking.facts.dims(value)
        first = next(iter(asked.values()))
        if value.is_graph_output():
            return replace(OUTPUT, at=f"output '{value.name}'")
        demand = agree(list(asked.values()))
        for node, index in self._asking.facts.readers(value):
            if (node, index) in asked or reads_no_number(node, index):
                continue
            parts = self._asking.unread(node, index)
            if parts is not None:
                witnesses.add(node)
            other = identity(first.rank) if parts is None else parts
            if demand is None or (demand := agree([demand, other])) is None:
                return Refusal(
                    "other-reader",
                    f"its output is also read by {describe(node)}, which needs it unchanged",
                    at=_producer_text(value),
                )
        if demand is None:
            return Refusal(
                "other-reader", "its readers need different values", at=_producer_text(value)
            )
        if not demand.fits(dims):
            return replace(UNKNOWN_SHAPE, at=_producer_text(value))
        return demand.settled()

    def _demand(self, state: State, node: ir.Node, passes: Mapping[int, Affine]) -> State | Refusal:
        """The state after `node` asked its inputs' producers for these affines."""
        affines = {value: dict(edges) for value, edges in state.affines.items()}
        constants = dict(state.constants)
        pending = set(state.pending)
        for index, affine in passes.items():
            if affine.is_identity:
                continue
            value = node.inputs[index]
            assert value is not None
            if self._asking.facts.is_constant(value):
                changed = self._changed_constant(value, affine, grows=is_op(node, *JOINS))
                if isinstance(changed, Refusal):
                    return replace(changed, at=describe(node))
                constants[node, index] = changed
                continue
            producer = value.producer()
            if producer is None:
                return _no_producer(value, node)
            if producer.graph is not node.graph:
                return replace(NESTED, at=describe(node))
            affines.setdefault(value, {})[node, index] = affine
            pending.add(producer)
        return replace(state, affines=affines, constants=constants, pending=frozenset(pending))

    def _changed_constant(self, value: ir.Value, affine: Affine, *, grows: bool) -> Exact | Refusal:
        exact = self._asking.facts.exact(value)
        plain = affine.settled()
        if exact is None or not (grows or plain.fits(exact.shape)):
            return Refusal("constant-shape", "the affine does not fit the constant's shape")
        return of_array(exact.value() * plain.scale + plain.shift, exact.dtype)


def _producer_text(value: ir.Value) -> str:
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
