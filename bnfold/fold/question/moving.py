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

from bnfold.fold.facts.node import describe, is_op, reads_of, scope_of
from bnfold.fold.facts.operator_facts import JOINS
from bnfold.fold.numbers.affine import Affine, identity
from bnfold.fold.numbers.quotient import before, has_gaps
from bnfold.fold.plan import Leave, Move, PassBy, Refusal
from bnfold.fold.question.asking import LONE_SCALAR, NESTED, Asking, Offer, no_rule
from bnfold.fold.question.condition import ill_conditioned
from bnfold.fold.question.present import ask_as_it_stands, changed, with_constant
from bnfold.fold.question.readers import Readers, because
from bnfold.fold.question.state import State
from bnfold.fold.sources.source import Source, source_of

_FAR = 400  # nodes asked about per question: what keeps the whole fold linear
_NEARBY = 120  # where others are asked for inverses, there is more to try and less to find far away
_TURNS = 3  # how often one node is asked: it may be reached from each side
_UNEQUAL = "unequal-branches"
_RETURNED = Refusal("constant-branch", "one of its bodies returns a constant as it is")
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

    def solve(self, state: State) -> Refusal | None:
        """Nothing is left on the way; or the state is as it was, and this is why."""
        self._asking.begin(_NEARBY if self._inverses else _FAR)
        begun = state.mark
        first: Refusal | None = None
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
                if first is None or first.code == _UNEQUAL:
                    first = found
                if found.code == "search-limit":
                    break
            elif not state.residues:
                return None
            else:
                if len(state.residues) < before_it:
                    self._asking.ended()
                tried.append((self._asked_next(state), len(state.residues)))
        if first is not None:
            state.back_to(begun)
        return first

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

    def request(self, state: State, node: ir.Node, passes: Mapping[int, Affine]) -> Refusal | None:
        """The node reads through these affines, which go back to what makes its inputs."""
        for index, affine in passes.items():
            if affine.is_identity:
                continue
            value = reads_of(node)[index]
            assert value is not None
            if self._facts.is_constant(value):
                refusal = self._change_constant(state, node, index, affine)
                if refusal is not None:
                    return refusal
                continue
            producer = value.producer()
            if producer is None:
                return _no_producer(value, node)
            if producer.graph is not scope_of(node, index):
                return replace(NESTED, at=describe(node))
            edge = (node, index)
            whole = affine.after(state.residue(edge, affine.rank))
            state.put(edge, whole, backward=True)
        return None

    def _change_constant(
        self, state: State, node: ir.Node, index: int, affine: Affine
    ) -> Refusal | None:
        if index >= len(node.inputs):
            return replace(_RETURNED, at=describe(node))
        exact = state.constants.get((node, index)) or self._facts.exact(node.inputs[index])
        fresh = changed(exact, affine, grows=is_op(node, *JOINS))
        if isinstance(fresh, Refusal):
            return replace(fresh, at=describe(node))
        step = state.steps.get(node)
        if isinstance(step, PassBy):
            state.set(state.constants, (node, index), fresh)
        else:
            state.set(state.steps, node, with_constant(node, step, index, fresh))
        return None

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
            if not backward and self._recruits(state, node, _wants(offer.move), arrived):
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
            refusal = self._want(state, node, move, arrived)
            refusal = refusal or self.readers.see(state, node, move.passes)
            return None if refusal is None else because(state, refusal)
        refusal = self.request(state, node, move.passes)
        for index, wanted in _wants(move).items():
            if refusal is None and not wanted.is_identity:
                refusal = self.readers.change(state, node.outputs[index], wanted)
        return refusal

    def _recruits(
        self,
        state: State,
        node: ir.Node,
        wants: Mapping[int, Affine],
        arrived: Mapping[int, Affine],
    ) -> bool:
        """Whether sources with the scale that a join wants go ahead too, to be taken together."""
        begun, found = state.mark, False
        for place, affine in arrived.items() if wants else ():
            state.put((node, place), affine, backward=False)
        self._asking.spend(len(wants))
        for index, wanted in wants.items():
            value = reads_of(node)[index]
            producer = None if value is None else value.producer()
            if index in arrived or producer is None or producer in state.steps:
                continue
            source = source_of(producer, self._facts)
            if not isinstance(source, Source) or self._asking.skipped.has_node(producer):
                continue
            if not source.affine.only_scale().equals(wanted.only_scale()):
                continue
            alone = state.mark
            state.set(state.steps, producer, PassBy(source.index))
            if self.readers.see(state, producer, {0: source.affine}) is None:
                found = True
            else:
                state.back_to(alone)
        if not found:
            state.back_to(begun)
        return found

    def _want(
        self, state: State, node: ir.Node, move: Move, arrived: Mapping[int, Affine]
    ) -> Refusal | None:
        """The other inputs are asked for the inverse of what the node wants on them."""
        for index, wanted in _wants(move).items():
            left = before(arrived.get(index, identity(wanted.rank)), wanted)
            if left.is_identity and not has_gaps(left):
                continue
            value = reads_of(node)[index]
            assert value is not None
            if not self._inverses or has_gaps(left):
                sentence = "its inputs do not all carry the same affine"
                return Refusal(_UNEQUAL, sentence, at=describe(node))
            refusal = ill_conditioned(value, left.only_scale(), self._facts)
            refusal = refusal or self.request(state, node, {index: left})
            if refusal is not None:
                return replace(refusal, at=refusal.at or describe(node))
        return None


def _wants(move: Move) -> Mapping[int, Affine]:
    return {} if isinstance(move, PassBy) else move.wants


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
