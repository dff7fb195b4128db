"""The one recursive question: can this affine be absorbed, all of it, by what stands around it?

It is asked backward and forward, whole and in halves, and a rule may offer alternatives: they are
tried in order, and the first that ends in absorption everywhere wins. Nothing is edited here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from bnfold.fold.facts.node import describe, is_op
from bnfold.fold.moves.range import halves_out_of_range
from bnfold.fold.numbers.affine import Affine
from bnfold.fold.numbers.exact import of_array
from bnfold.fold.plan import NewNode, Plan, Refusal, Replace
from bnfold.fold.question.asking import OUTPUT, Asking
from bnfold.fold.question.backward import Backward
from bnfold.fold.question.copying import Copying
from bnfold.fold.question.forward import Forward
from bnfold.fold.sources.source import Source, source_of

_ACTIVATION = Refusal(
    "lone-scalar",
    "one number for all channels is likely the 0.5 of a Gelu or the 1/6 of a HardSwish, which "
    "runtimes fuse as a whole",
)


class Search:
    """Finds the plans for one source, or says why there is none."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking
        self._facts = asking.facts
        self._backward = Backward(asking)
        self._forward = Forward(asking)
        self._copying = Copying(asking)

    @property
    def visits(self) -> int:
        """How many nodes it has asked about so far."""
        return self._asking.total

    def candidates(self, source: Source) -> Iterator[Plan | Refusal]:
        """All of it back, all of it forward, or the shift one way and the scale the other.

        Plans with a price come last, those that leave the fewest nodes first; a copy of work, after
        all others.
        """
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
        affine = source.affine
        yield _with_named_outputs(self._backward.plan(source, affine))
        if not source.is_batch_norm and not self._may_move_on(source):
            yield replace(_ACTIVATION, at=describe(source.node))
            return
        yield _with_named_outputs(self._forward.plan(source, affine))
        if affine.has_scale and affine.has_shift:
            yield from self._splits(source)
            yield from self._bias(source)

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

    def _splits(self, source: Source) -> Iterator[Plan]:
        """s x + t = s (x + t / s): the shift back, the scale forward; or s x back, t forward."""
        affine = source.affine
        zero = affine.scale == 0
        ratio = affine.shift / np.where(zero, 1.0, affine.scale)
        if not np.any(zero & (affine.shift != 0)) and np.all(np.isfinite(ratio)):
            found = self._halves(source, Affine(np.ones_like(ratio), ratio), affine.only_scale())
            if found is not None:
                yield found
        found = self._halves(source, affine.only_scale(), affine.only_shift())
        if found is not None:
            yield found

    def _bias(self, source: Source) -> Iterator[Plan]:
        """s (x @ W) + t = x @ (W s) + t: behind a MatMul, the batch norm becomes its bias."""
        x = source.node.inputs[source.index]
        if not source.is_batch_norm or x is None or self._facts.opset() < 7:
            return  # before opset 7 an Add broadcasts only along axes that it names
        scale, shift = source.affine.only_scale(), source.affine.only_shift()
        if halves_out_of_range(x, scale, shift, self._facts):
            return
        found = self._backward.plan(source, source.affine.only_scale())
        if isinstance(found, Refusal) or not all(is_op(n, "MatMul") for n in found.absorbers):
            return
        dtype = self._facts.dtype(x)
        if dtype is not None:
            bias = of_array(source.affine.shift, dtype)
            add = Replace((NewNode("Add", (x, bias), {}),))
            steps = {**found.steps, source.node: add}
            yield replace(found, steps=steps, direction="both", rules=(*found.rules, "compose"))

    def _halves(self, source: Source, first: Affine, then: Affine) -> Plan | None:
        between = source.node.outputs[0]
        if halves_out_of_range(between, first, then, self._facts):
            return None
        back = self._backward.plan(source, first)  # says no sooner than the other
        if isinstance(back, Refusal):
            return None
        ahead = self._forward.plan(source, then)
        if isinstance(ahead, Refusal):
            return None
        shared = set(back.steps) & set(ahead.steps) - {source.node}
        if shared:
            return None
        if set(ahead.steps) & back.witnesses or set(back.steps) & ahead.witnesses:
            return None
        return Plan(
            {**back.steps, **ahead.steps},
            {**back.constants, **ahead.constants},
            back.moved | ahead.moved,
            back.witnesses | ahead.witnesses,
            "both",
            tuple(dict.fromkeys([*back.rules, *ahead.rules])),
        )


def _with_named_outputs(found: Plan | Refusal) -> Plan | Refusal:
    """A refusal where affines that amount to nothing stand between an input and an output.

    What the caller reads keeps its name, so something must be left that can bear it.
    """
    if isinstance(found, Refusal):
        return found
    dropped = found.passed_by
    for node, index in dropped.items():
        if not node.outputs[0].is_graph_output():
            continue
        kept = node.inputs[index]
        producer = None if kept is None else kept.producer()
        while producer is not None and producer in dropped:
            kept = producer.inputs[dropped[producer]]
            producer = None if kept is None else kept.producer()
        if kept is None or producer is None or producer.graph is not node.graph:
            return replace(OUTPUT, at=f"output '{node.outputs[0].name}'")
        if kept.is_graph_output():
            return replace(OUTPUT, at=f"output '{kept.name}'")
    return found
