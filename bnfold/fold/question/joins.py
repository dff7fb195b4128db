"""The other inputs of a join: it passes an affine on where all of them carry what it wants.

Where they do not, there are two ways: sources that stand there with the same scale go ahead too, or
what makes an input is asked for the inverse of what is missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import onnx_ir as ir

from bnfold.fold.facts.node import describe, reads_of
from bnfold.fold.numbers.affine import Affine, identity
from bnfold.fold.numbers.quotient import before, has_gaps
from bnfold.fold.plan import Move, PassBy, Refusal
from bnfold.fold.question.asking import Asking
from bnfold.fold.question.condition import ill_conditioned
from bnfold.fold.question.readers import Readers
from bnfold.fold.question.requests import Requests
from bnfold.fold.question.state import State
from bnfold.fold.sources.source import Source, source_of

UNEQUAL = "unequal-branches"


class Joins:
    """Sees to what a join wants on its other inputs.

    Args:
        asking: asks the rules.
        readers: tells readers of values what becomes of those.
        requests: asks for affines on what nodes read.
        inverses: whether anybody may be asked for an inverse.
    """

    def __init__(
        self, asking: Asking, readers: Readers, requests: Requests, *, inverses: bool
    ) -> None:
        self._asking = asking
        self._facts = asking.facts
        self._readers = readers
        self._requests = requests
        self._inverses = inverses

    def takes_along(
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
            if self._readers.see(state, producer, {0: source.affine}) is None:
                found = True
            else:
                state.back_to(alone)
        if not found:
            state.back_to(begun)
        return found

    def ask(
        self, state: State, node: ir.Node, move: Move, arrived: Mapping[int, Affine]
    ) -> Refusal | None:
        """The other inputs are asked for the inverse of what the node wants on them."""
        for index, wanted in wants_of(move).items():
            left = before(arrived.get(index, identity(wanted.rank)), wanted)
            if left.is_identity and not has_gaps(left):
                continue
            value = reads_of(node)[index]
            assert value is not None
            if not self._inverses or has_gaps(left):
                sentence = "its inputs do not all carry the same affine"
                return Refusal(UNEQUAL, sentence, at=describe(node))
            refusal = ill_conditioned(value, left.only_scale(), self._asking)
            refusal = refusal or self._requests.make(state, node, {index: left})
            if refusal is not None:
                return replace(refusal, at=refusal.at or describe(node))
        return None


def wants_of(move: Move) -> Mapping[int, Affine]:
    """What the move wants of its other ends."""
    return {} if isinstance(move, PassBy) else move.wants
