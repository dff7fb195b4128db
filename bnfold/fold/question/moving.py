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

import onnx_ir as ir

from bnfold.fold.facts.node import describe, reads_of
from bnfold.fold.numbers.affine import Affine
from bnfold.fold.plan import Leave, Move, Refusal
from bnfold.fold.question.asking import LONE_SCALAR, Asking, Offer, no_rule
from bnfold.fold.question.joins import UNEQUAL, Joins, wants_of
from bnfold.fold.question.present import ask_as_it_stands
from bnfold.fold.question.readers import Readers, because
from bnfold.fold.question.requests import Requests
from bnfold.fold.question.state import State
from bnfold.fold.sources.source import Source, source_of

_FAR = 400  # nodes asked about per question: what keeps the whole fold linear
_NEARBY = 120  # where others are asked for inverses, there is more to try and less to find far away
_TURNS = 3  # how often one node is asked: it may be reached from each side
_CIRCLE = Refusal("goes-in-circles", "what it passes on comes back to it")


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
        self.readers = Readers(asking, inverses=inverses)
        self.requests = Requests(asking.facts)
        self._joins = Joins(asking, self.readers, self.requests, inverses=inverses)

    def solve(self, state: State) -> Refusal | None:
        """Nothing is left on the way; or the state is as it was, and this is why."""
        self._asking.begin(_NEARBY if self._inverses else _FAR)
        begun = state.mark
        obstacle: Refusal | None = None
        furthest = (False, 0, 0)
        tried: list[tuple[Iterator[Refusal | None], int]] = []
        if state.residues:
            tried.append((self._asked_next(state), len(state.residues)))
        while tried:
            alternatives, before_it = tried[-1]
            try:
                found = next(alternatives)
            except StopIteration:
                tried.pop()
                continue
            if found is not None:
                # the true obstacle: of the longest way; of such, of the one that leaves least
                far = found.code != UNEQUAL, len(tried), -before_it
                if obstacle is None or far > furthest:
                    obstacle, furthest = found, far
                if found.code == "search-limit" and self._asking.close():
                    break
            elif not state.residues:
                return None
            else:
                if len(state.residues) < before_it:
                    self._asking.ended()
                tried.append((self._asked_next(state), len(state.residues)))
        if obstacle is not None:
            state.back_to(begun)
        return obstacle

    def pull(self, state: State, node: ir.Node, demand: Affine) -> Refusal | None:
        """The node makes its first output with the demand in it; readers see what they did.

        The first of its alternatives that can be begun is taken; what it puts on the way is for
        `solve`.
        """
        refusal = self.readers.change(state, node.outputs[0], demand)
        begun = state.mark
        offers = () if refusal else self._asking.ask(node, {0: demand}, backward=True)
        for offer in offers or (refusal or no_rule(node),):
            state.back_to(begun)
            if isinstance(offer, Refusal):
                refusal = refusal or offer
                continue
            self._take(state, node, offer)
            found = self._leave(state, node, offer.move, {0: demand}, backward=True)
            if found is None:
                return None
            refusal = refusal or found
        return refusal

    def _asked_next(self, state: State) -> Iterator[Refusal | None]:
        """Each way of the node that comes next: the state is there, or this is why it is not."""
        end = state.next_end()
        assert end is not None, "something is on the way"
        node, backward = end
        refusal = self._asking.visit(node)
        turn = state.asked.get(node, 0)
        if refusal is None and turn >= _TURNS:
            refusal = replace(_CIRCLE, at=describe(node))
        if refusal is not None:
            yield refusal
            return
        state.set(state.asked, node, turn + 1)
        arrived = self._pulled(state, node) if backward else self._pushed(state, node)
        if isinstance(arrived, Refusal):
            yield arrived
            return
        step, begun = state.steps.get(node), state.mark
        offers = ask_as_it_stands(self._asking, node, step, arrived, backward=backward)
        for offer in offers or (no_rule(node),):
            state.back_to(begun)
            if isinstance(offer, Refusal):
                yield offer if backward else because(state, offer)
                continue
            if not backward and self._joins.takes_along(state, node, wants_of(offer.move), arrived):
                yield None
                state.back_to(begun)
            self._take(state, node, offer)
            yield self._leave(state, node, offer.move, arrived, backward=backward)

    def _pulled(self, state: State, node: ir.Node) -> dict[int, Affine] | Refusal:
        """What the readers of the node's outputs ask for."""
        demands: dict[int, Affine] = {}
        for index, value in enumerate(node.outputs):
            found = self.readers.serve(state, value)
            if isinstance(found, Refusal):
                return found
            if found is not None:
                demands[index] = found
        return demands

    def _pushed(self, state: State, node: ir.Node) -> dict[int, Affine] | Refusal:
        """What stands on the node's inputs, and is taken from there."""
        edges = ((node, index) for index in range(len(reads_of(node))))
        arrived = {edge[1]: state.residues[edge] for edge in edges if edge in state.residues}
        for index in arrived:
            state.take((node, index))
        if self._inverses and self._is_lone_scalar(node):
            return because(state, replace(LONE_SCALAR, at=describe(node)))
        return arrived

    def _is_lone_scalar(self, node: ir.Node) -> bool:
        source = source_of(node, self._facts)
        if not isinstance(source, Source) or source.is_batch_norm:
            return False
        return source.affine.entries == 1

    def _take(self, state: State, node: ir.Node, offer: Offer) -> None:
        if state.steps.get(node) is None or not isinstance(offer.move, Leave):
            state.set(state.steps, node, offer.move)
        if offer.rule not in state.rules:
            state.set(state.rules, offer.rule, None)

    def _leave(
        self,
        state: State,
        node: ir.Node,
        move: Move,
        arrived: Mapping[int, Affine],
        *,
        backward: bool,
    ) -> Refusal | None:
        """What the node passes leaves by its ends, and what it wants of others there is asked."""
        if not backward:
            refusal = self._joins.ask(state, node, move, arrived)
            refusal = refusal or self.readers.see(state, node, move.passes)
            return None if refusal is None else because(state, refusal)
        refusal = self.requests.make(state, node, move.passes)
        for index, wanted in wants_of(move).items():
            if refusal is None and not wanted.is_identity:
                refusal = self.readers.change(state, node.outputs[index], wanted)
        return refusal
