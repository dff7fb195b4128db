"""Forward: a *gauge* on a value says that it will carry `v'`, with `v = A(v')`.

Nodes are visited first to last, so that all inputs of a join are known when it is asked. A join
that needs the same affine on another input recruits the source that stands there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import onnx_ir as ir

from bnfold.fold.facts.node import describe, reads_no_number
from bnfold.fold.numbers.affine import Affine
from bnfold.fold.plan import Move, PassBy, Plan, Refusal
from bnfold.fold.question.asking import NESTED, NO_RULE, OUTPUT, UNKNOWN_SHAPE, Asking, State
from bnfold.fold.sources.source import Source, source_of


@dataclass(frozen=True)
class _Recruit:
    """Another source whose affine a join needs: the question starts again with it."""

    source: Source


class Forward:
    """Moves an affine to what reads its output."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    def plan(self, source: Source, affine: Affine) -> Plan | Refusal:
        """How all readers of the source's output do without the affine, or what stops that."""
        self._asking.begin()
        seeds = {source.node: (source, affine)}
        while True:
            found = self._wave(seeds)
            if not isinstance(found, _Recruit):
                break
            seeds[found.source.node] = (found.source, found.source.affine)
        return found if isinstance(found, Refusal) else found.plan("forward")

    def _wave(self, seeds: Mapping[ir.Node, tuple[Source, Affine]]) -> State | Refusal | _Recruit:
        state: State | Refusal = State(
            {node: PassBy(source.index) for node, (source, _) in seeds.items()}
        )
        for node, (_, affine) in seeds.items():
            assert not isinstance(state, Refusal)
            state = self._offer(state, node, {0: affine})
            if isinstance(state, Refusal):
                return state
        assert not isinstance(state, Refusal)
        state = replace(state, pending=state.pending - set(seeds))
        return self._ahead(state)

    def _ahead(self, state: State) -> State | Refusal | _Recruit:
        if not state.pending:
            return state
        node = min(state.pending, key=self._asking.facts.order)
        too_far = self._asking.visit(node)
        if too_far is not None:
            return too_far
        arrived = {
            index: next(iter(state.affines[value].values()))
            for index, value in enumerate(node.inputs)
            if value is not None and value in state.affines
        }
        state = replace(state, pending=state.pending - {node})
        refusal: Refusal | None = None
        for offer in self._asking.ask(node, arrived, backward=False):
            if isinstance(offer, Refusal):
                refusal = refusal or offer
                continue
            missing = self._missing(node, offer.move, arrived)
            if isinstance(missing, _Recruit):
                return missing
            found: State | Refusal | _Recruit
            found = missing or self._offer(state.with_offer(node, offer), node, offer.move.passes)
            if isinstance(found, State):
                found = self._ahead(found)
            if not isinstance(found, Refusal):
                return found
            refusal = refusal or found
        return refusal or replace(NO_RULE, at=describe(node))

    def _missing(
        self, node: ir.Node, move: Move, arrived: Mapping[int, Affine]
    ) -> Refusal | _Recruit | None:
        """The first input that has to carry the same affine and does not."""
        wants = {} if isinstance(move, PassBy) else move.wants
        for index, affine in wants.items():
            if index in arrived:
                if arrived[index].equals(affine):
                    continue
                return _unequal(node)
            value = node.inputs[index]
            producer = None if value is None else value.producer()
            source = None if producer is None else source_of(producer, self._asking.facts)
            if not isinstance(source, Source) or not source.affine.equals(affine):
                return _unequal(node)
            if self._asking.skipped.has_node(source.node):
                return _unequal(node)
            return _Recruit(source)
        return None

    def _offer(self, state: State, node: ir.Node, passes: Mapping[int, Affine]) -> State | Refusal:
        """The state after `node` left these affines to the readers of its outputs."""
        affines = dict(state.affines)
        pending = set(state.pending)
        for index, affine in passes.items():
            if affine.is_identity:
                continue
            value = node.outputs[index]
            if value.is_graph_output():
                return replace(OUTPUT, at=f"output '{value.name}'")
            if not affine.fits(self._asking.facts.dims(value)):
                return replace(UNKNOWN_SHAPE, at=describe(node))
            affines[value] = {(node, index): affine}
            for reader, place in self._asking.facts.readers(value):
                if reader.graph is not node.graph:
                    return replace(NESTED, at=describe(reader))
                if reader in state.steps:
                    return _unequal(reader)
                if not reads_no_number(reader, place):
                    pending.add(reader)
        return replace(state, affines=affines, pending=frozenset(pending))


def _unequal(node: ir.Node) -> Refusal:
    return Refusal(
        "unequal-branches", "its inputs do not all carry the same affine", at=describe(node)
    )
