"""The one question: can this affine be absorbed, all of it, by what stands around it?

It may go back, ahead, or part of it either way, and a rule may offer alternatives: they are tried
in order, and the first that ends in absorption everywhere wins. Nothing is edited here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from enum import Enum
from itertools import islice

import numpy as np
import onnx_ir as ir

from bnfold.fold.facts.node import describe, is_product, reads_no_number
from bnfold.fold.moves.range import RANGE, halves_out_of_range
from bnfold.fold.numbers.affine import Affine, Array
from bnfold.fold.numbers.exact import of_array
from bnfold.fold.plan import NewNode, PassBy, Plan, Refusal, Replace
from bnfold.fold.question.asking import LONE_SCALAR, NESTED, OUTPUT, Asking, Offer, no_rule
from bnfold.fold.question.clones import Copying
from bnfold.fold.question.moving import Moving
from bnfold.fold.question.state import State
from bnfold.fold.sources.source import Source, source_of

_LOOKED_AHEAD = 4  # readers that are asked before all else


class Effort(Enum):
    """How far a search goes; what needs less of others is looked for first, in the whole model."""

    PLAIN = "others stay as they are"
    INVERSES = "others may take an inverse"
    SIGNS = "and a sign by channel may go along"


class Search:
    """Finds the plans for one source, or says why there is none.

    Args:
        asking: asks the rules.
        effort: how far it goes.
    """

    def __init__(self, asking: Asking, effort: Effort) -> None:
        self.asking = asking
        self._facts = asking.facts
        self._effort = effort
        self._copying = Copying(asking)

    def candidates(self, source: Source) -> Iterator[Plan | Refusal]:
        """All of it back, all of it forward, or the shift one way and the scale the other.

        Plans with a price come last, those that leave the fewest nodes first; a copy of work, after
        all others.
        """
        self.asking.seen[source.node] = None
        priced: list[Plan] = []
        for found in self._candidates(source):
            if isinstance(found, Plan) and found.has_price:
                priced.append(found)
            else:
                yield found
        yield from sorted(priced, key=lambda plan: plan.added_nodes)
        copy = self._copying.plan(source)
        if copy is not None:
            yield copy

    def _candidates(self, source: Source) -> Iterator[Plan | Refusal]:
        if self._effort is Effort.SIGNS:
            yield from _plans(self._signs(source))
            yield from _plans(self._in_exchange(source))
            return
        if self._effort is Effort.INVERSES:  # the shift that moves least is tried first
            if source.affine.entries == 1 and not source.is_batch_norm:
                return
            yield from _plans(self._splits(source))
        yield self._moved(source, source.affine, None, "backward")
        if not source.is_batch_norm and not self._may_move_on(source):
            yield replace(LONE_SCALAR, at=describe(source.node))
            return
        yield self._moved(source, None, source.affine, "forward")
        if self._effort is Effort.PLAIN:
            yield from _plans(self._splits(source))
            yield from self._bias(source)

    def _moved(
        self, source: Source, first: Affine | None, then: Affine | None, direction: str
    ) -> Plan | Refusal:
        """The source is gone: `first` went back to what makes its input, `then` on to its readers.

        The source's affine is then(first(x)).
        """
        moving = Moving(self.asking, inverses=self._effort is not Effort.PLAIN)
        state = State(self._facts)
        state.set(state.steps, source.node, PassBy(source.index))
        refusal = None
        if first is not None:
            refusal = moving.requests.make(state, source.node, {source.index: first})
        if refusal is None and then is not None:
            refusal = moving.readers.see(state, source.node, {0: then})
        refusal = refusal or moving.solve(state)
        plan = state.plan(direction)
        refusal = refusal or plan.unpaid
        return refusal or _with_named_outputs(plan, self._facts.model.graph)

    def _may_move_on(self, source: Source) -> bool:
        """Whether constant arithmetic may go forward: a lone scalar in the middle may not."""
        if source.affine.entries > 1:
            return True
        x = source.node.inputs[source.index]
        beside = [reader for reader, _ in self._facts.readers(source.node.outputs[0])]
        producer = None if x is None else x.producer()
        if producer is not None:
            beside.append(producer)
        chained = any(isinstance(source_of(node, self._facts), Source) for node in beside)
        return chained or (x is not None and x.is_graph_input())

    def _splits(self, source: Source) -> Iterator[Plan | Refusal]:
        """s x + t = s (x + t / s): the shift back, the scale forward; or s x back, t forward."""
        affine = source.affine
        if not (affine.has_scale and affine.has_shift):
            return
        ratio = _ratio(affine)
        if ratio is not None:
            shift = Affine(np.ones_like(ratio), ratio)
            yield self._halves(source, shift, affine.only_scale())
        yield self._halves(source, affine.only_scale(), affine.only_shift())

    def _signs(self, source: Source) -> Iterator[Plan | Refusal]:
        """s x + t = |s| (x sign(s) + t / |s|): a sign and the shift back, the rest forward."""
        affine = source.affine
        ratio = _ratio(affine)
        if ratio is not None and not affine.is_nonnegative and source.is_batch_norm:
            sign = np.where(affine.scale < 0, -1.0, 1.0)
            size = Affine(np.abs(affine.scale), np.zeros_like(affine.scale))
            yield self._halves(source, Affine(sign, ratio * sign), size)

    def _in_exchange(self, source: Source) -> Iterator[Plan | Refusal]:
        """Ahead once more, where a rule may now put a node there for that of the source."""
        affine = source.affine
        if source.is_batch_norm and affine.has_shift and not self._stopped_ahead(source, affine):
            yield self._moved(source, None, affine, "forward")

    def _bias(self, source: Source) -> Iterator[Plan]:
        """s (x @ W) + t = x @ (W s) + t: behind a matrix product, it becomes the bias."""
        x = source.node.inputs[source.index]
        if not source.is_batch_norm or x is None or self._facts.opset() < 7:
            return  # before opset 7 an Add broadcasts only along axes that it names
        scale, shift = source.affine.only_scale(), source.affine.only_shift()
        if halves_out_of_range(x, scale, shift, self._facts):
            return
        found = self._moved(source, scale, None, "both")
        if isinstance(found, Refusal) or not all(is_product(n) for n in found.absorbers):
            return
        dtype = self._facts.dtype(x)
        if dtype is not None:
            bias = of_array(source.affine.shift, dtype)
            add = Replace((NewNode("Add", (x, bias), {}),))
            steps = {**found.steps, source.node: add}
            yield replace(found, steps=steps, rules=(*found.rules, "compose"))

    def _halves(self, source: Source, first: Affine, then: Affine) -> Plan | Refusal:
        between = source.node.outputs[0]
        if halves_out_of_range(between, first, then, self._facts):
            return RANGE
        refusal = self._stopped_ahead(source, then)
        return refusal or self._moved(source, first, then, "both")

    def _stopped_ahead(self, source: Source, then: Affine) -> Refusal | None:
        """Why a reader takes nothing of it, whatever becomes of the rest: asked before all else."""
        for use in islice(source.node.outputs[0].uses(), _LOOKED_AHEAD):
            node, index = use.node, use.idx
            others = (v for i, v in enumerate(node.inputs) if v is not None and i != index)
            if reads_no_number(node, index) or self.asking.unread.behind(node):
                continue
            if not all(self._facts.is_constant(value) for value in others):
                continue  # what arrives at the others may change what it takes
            offers = self.asking.ask(node, {index: then}, backward=False)
            if not any(isinstance(offer, Offer) for offer in offers):
                self.asking.seen[node] = None
                return next((o for o in offers if isinstance(o, Refusal)), no_rule(node))
        return None


def _ratio(affine: Affine) -> Array | None:
    """t / s; None where a channel is nothing but its shift."""
    zero = affine.scale == 0
    ratio = affine.shift / np.where(zero, 1.0, affine.scale)
    lost = np.any(zero & (affine.shift != 0)) or not np.all(np.isfinite(ratio))
    return None if lost else ratio


def _plans(found: Iterator[Plan | Refusal]) -> Iterator[Plan]:
    """Those that there are: what stops one half says no more than what stops the whole."""
    return (plan for plan in found if isinstance(plan, Plan))


def _with_named_outputs(found: Plan | Refusal, main: ir.Graph) -> Plan | Refusal:
    """A refusal where affines that amount to nothing stand between an input and an output.

    What the caller reads keeps its name, so something must be left that can bear it. A constant is
    nothing of the kind: a fresh one is of the main graph, and no output of a body. Nor can one
    value bear two: what the body of a Scan or Loop returns twice, onnxruntime makes once.
    """
    if isinstance(found, Refusal):
        return found
    dropped = found.passed_by
    fresh = found.constants
    bearing: set[ir.Value] = set()
    for node, index in dropped.items():
        if not node.outputs[0].is_graph_output():
            continue
        is_fresh, kept = (node, index) in fresh, node.inputs[index]
        producer = None if kept is None else kept.producer()
        while producer is not None and producer in dropped:
            is_fresh |= (producer, dropped[producer]) in fresh
            kept = producer.inputs[dropped[producer]]
            producer = None if kept is None else kept.producer()
        if kept is None or producer is None or is_fresh or producer.graph is not node.graph:
            reason = OUTPUT if node.graph is main else NESTED
            return replace(reason, at=f"output '{node.outputs[0].name}'")
        if kept.is_graph_output() or kept in bearing:
            return replace(OUTPUT, at=f"output '{kept.name}'")
        bearing.add(kept)
    return found
