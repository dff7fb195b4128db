"""The one recursive question: can this affine be absorbed, all of it, by what stands around it?

Backward, a *demand* on a value asks its producer to make `A(v)` in place of `v`. Nodes are visited
last first, so that all readers of a value have spoken before its producer is asked. Forward, a
*gauge* on a value says that it will carry `v'` with `v = A(v')`; nodes are visited first to last,
so that all inputs of a join are known when it is asked. A rule may offer alternatives; they are
tried in order and the first that ends in absorption everywhere wins. Nothing is edited here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import onnx_ir as ir

from bnfold.fold.affine import Affine, agree, identity
from bnfold.fold.carry.select import unread_parts
from bnfold.fold.exact import Exact, of_array
from bnfold.fold.graph import Facts, describe, is_op, reads_no_number
from bnfold.fold.plan import NewNode, Plan, Refusal, Rule, Step
from bnfold.fold.sources import Source, source_of

_BUDGET = 400  # nodes asked about per question: what keeps the whole fold linear

_BROADCASTING = ("Max", "Min", "Where", "Add", "Sub", "Sum", "Mul", "Div")

_NO_RULE = Refusal(
    "not-linear", "a scale and a shift cannot be moved through this operator without changing it"
)
_ACTIVATION = Refusal(
    "lone-scalar",
    "one number for all channels is likely the 0.5 of a Gelu or the 1/6 of a HardSwish, which "
    "runtimes fuse as a whole",
)
_TOO_FAR = Refusal("search-limit", "the affine would have to move through too many operators")
_OUTPUT = Refusal(
    "graph-output",
    "the caller reads this tensor, so its values must stay",
    advice="drop the tensor from the model's outputs if nobody reads it",
)
_NESTED = Refusal("nested-scope", "the tensor crosses the border of an If, Loop or Scan body")


@dataclass(frozen=True)
class _State:
    """How far a question has come; copied at each step, so that an alternative starts clean."""

    steps: Mapping[ir.Node, Step]
    affines: Mapping[ir.Value, Mapping[tuple[ir.Node, int], Affine]] = field(default_factory=dict)
    pending: frozenset[ir.Node] = frozenset()
    constants: Mapping[tuple[ir.Node, int], Exact] = field(default_factory=dict)
    witnesses: frozenset[ir.Node] = frozenset()

    def plan(self, direction: str) -> Plan:
        return Plan(self.steps, self.constants, frozenset(self.affines), self.witnesses, direction)


@dataclass(frozen=True)
class _Recruit:
    """Another source whose affine a join needs: the question starts again with it."""

    source: Source


class Search:
    """Finds the plan for one source, or says why there is none.

    Args:
        facts: of the model.
        rules: the table of moves.
        prices: the priced rewrites that may be used.
        skipped: names of rules and of nodes that may not be used.
    """

    def __init__(
        self, facts: Facts, rules: Sequence[Rule], prices: Collection[str], skipped: Collection[str]
    ) -> None:
        self._facts = facts
        self._prices = prices
        self._skipped = skipped
        self._visits = 0
        self._rules: dict[str, list[Rule]] = {}
        for rule in rules:
            for op in rule.ops:
                self._rules.setdefault(op, []).append(rule)

    def candidates(self, source: Source) -> Iterator[Plan | Refusal]:
        """All of it back, all of it forward, or the shift one way and the scale the other.

        Plans with a price come last, those that leave the fewest nodes first.
        """
        priced: list[Plan] = []
        for found in self._candidates(source):
            if isinstance(found, Plan) and found.has_price:
                priced.append(found)
            else:
                yield found
        yield from sorted(priced, key=lambda plan: plan.added_nodes)

    def _candidates(self, source: Source) -> Iterator[Plan | Refusal]:
        affine = source.affine
        yield _with_named_outputs(self._backward(source, affine))
        if not source.is_batch_norm and not self._may_move_on(source):
            yield replace(_ACTIVATION, at=describe(source.node))
            return
        yield _with_named_outputs(self._forward(source, affine))
        if affine.has_scale and affine.has_shift:
            yield from self._splits(source)
            yield from self._bias(source)

    def _may_move_on(self, source: Source) -> bool:
        """Whether constant arithmetic may go forward: a lone scalar in the middle may not."""
        if max(source.affine.extents) > 1:
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
        found = self._backward(source, source.affine.only_scale())
        if isinstance(found, Refusal) or not all(is_op(n, "MatMul") for n in found.absorbers):
            return
        dtype = self._facts.dtype(x)
        if dtype is not None:
            bias = of_array(source.affine.shift, dtype)
            add = Step("matmul-backward", nodes=(NewNode("Add", (x, bias), {}),))
            yield replace(found, steps={**found.steps, source.node: add}, direction="both")

    def _halves(self, source: Source, first: Affine, then: Affine) -> Plan | None:
        back = self._backward(source, first)  # says no sooner than the other
        if isinstance(back, Refusal):
            return None
        ahead = self._forward(source, then)
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
        )

    # Backward

    def _backward(self, source: Source, affine: Affine) -> Plan | Refusal:
        self._visits = 0
        start = _State({source.node: Step("source", drops=source.index)})
        begun = self._demand(start, source.node, {source.index: affine})
        found = begun if isinstance(begun, Refusal) else self._back(begun)
        return found if isinstance(found, Refusal) else found.plan("backward")

    def _back(self, state: _State) -> _State | Refusal:
        if not state.pending:
            return state
        self._visits += 1
        node = max(state.pending, key=self._facts.order)
        if self._visits > _BUDGET:
            return replace(_TOO_FAR, at=describe(node))
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
        refusal: Refusal | None = None
        for step in self._ask(node, demands, backward=True):
            if isinstance(step, Refusal):
                refusal = refusal or step
                continue
            found = self._demand(_with_step(state, node, step), node, step.passes)
            if not isinstance(found, Refusal):
                found = self._back(found)
            if not isinstance(found, Refusal):
                return found
            refusal = refusal or found
        return refusal or replace(_NO_RULE, at=describe(node))

    def _demand_on(
        self,
        value: ir.Value,
        asked: Mapping[tuple[ir.Node, int], Affine],
        witnesses: set[ir.Node],
    ) -> Affine | Refusal:
        """What all readers together ask of the value; one that asks nothing wants it as it is."""
        dims = self._facts.dims(value)
        first = next(iter(asked.values()))
        if value.is_graph_output():
            return replace(_OUTPUT, at=f"output '{value.name}'")
        wanted = list(asked.values())
        for node, index in self._facts.readers(value):
            if (node, index) in asked or reads_no_number(node, index):
                continue
            parts = unread_parts(node, index, self._facts)
            if parts is not None:
                witnesses.add(node)
            wanted.append(identity(first.rank) if parts is None else parts)
            if agree(wanted) is None:
                return Refusal(
                    "other-reader",
                    f"its output is also read by {describe(node)}, which needs it unchanged",
                    at=_producer_text(value),
                )
        demand = agree(wanted)
        if demand is None:
            return Refusal(
                "other-reader", "its readers need different values", at=_producer_text(value)
            )
        if not demand.fits(dims):
            return Refusal(
                "shape-unknown",
                "the static shape does not tell that the affine fits its output",
                at=_producer_text(value),
                advice="run shape inference, or export with static dimensions",
            )
        return demand.settled()

    def _demand(
        self, state: _State, node: ir.Node, passes: Mapping[int, Affine]
    ) -> _State | Refusal:
        """The state after `node` asked its inputs' producers for these affines."""
        affines = {value: dict(edges) for value, edges in state.affines.items()}
        constants = dict(state.constants)
        pending = set(state.pending)
        for index, affine in passes.items():
            if affine.is_identity:
                continue
            value = node.inputs[index]
            assert value is not None
            if self._facts.is_constant(value):
                changed = self._changed_constant(value, affine, grows=is_op(node, *_BROADCASTING))
                if isinstance(changed, Refusal):
                    return replace(changed, at=describe(node))
                constants[node, index] = changed
                continue
            producer = value.producer()
            if producer is None:
                return _no_producer(value, node)
            if producer.graph is not node.graph:
                return replace(_NESTED, at=describe(node))
            affines.setdefault(value, {})[node, index] = affine
            pending.add(producer)
        return replace(state, affines=affines, constants=constants, pending=frozenset(pending))

    def _changed_constant(self, value: ir.Value, affine: Affine, *, grows: bool) -> Exact | Refusal:
        exact = self._facts.exact(value)
        plain = affine.settled()
        if exact is None or not (grows or plain.fits(exact.shape)):
            return Refusal("constant-shape", "the affine does not fit the constant's shape")
        return of_array(exact.value() * plain.scale + plain.shift, exact.dtype)

    # Forward

    def _forward(self, source: Source, affine: Affine) -> Plan | Refusal:
        self._visits = 0
        seeds = {source.node: (source, affine)}
        while True:
            found = self._wave(seeds)
            if not isinstance(found, _Recruit):
                break
            seeds[found.source.node] = (found.source, found.source.affine)
        return found if isinstance(found, Refusal) else found.plan("forward")

    def _wave(self, seeds: Mapping[ir.Node, tuple[Source, Affine]]) -> _State | Refusal | _Recruit:
        state: _State | Refusal = _State(
            {node: Step("source", drops=source.index) for node, (source, _) in seeds.items()}
        )
        for node, (_, affine) in seeds.items():
            assert not isinstance(state, Refusal)
            state = self._offer(state, node, {0: affine})
            if isinstance(state, Refusal):
                return state
        assert not isinstance(state, Refusal)
        state = replace(state, pending=state.pending - set(seeds))
        return self._ahead(state)

    def _ahead(self, state: _State) -> _State | Refusal | _Recruit:
        if not state.pending:
            return state
        self._visits += 1
        node = min(state.pending, key=self._facts.order)
        if self._visits > _BUDGET:
            return replace(_TOO_FAR, at=describe(node))
        arrived = {
            index: next(iter(state.affines[value].values()))
            for index, value in enumerate(node.inputs)
            if value is not None and value in state.affines
        }
        state = replace(state, pending=state.pending - {node})
        refusal: Refusal | None = None
        for step in self._ask(node, arrived, backward=False):
            if isinstance(step, Refusal):
                refusal = refusal or step
                continue
            missing = self._missing(node, step, arrived)
            if isinstance(missing, _Recruit):
                return missing
            found: _State | Refusal | _Recruit
            found = missing or self._offer(_with_step(state, node, step), node, step.passes)
            if isinstance(found, _State):
                found = self._ahead(found)
            if not isinstance(found, Refusal):
                return found
            refusal = refusal or found
        return refusal or replace(_NO_RULE, at=describe(node))

    def _missing(
        self, node: ir.Node, step: Step, arrived: Mapping[int, Affine]
    ) -> Refusal | _Recruit | None:
        """The first input that has to carry the same affine and does not."""
        for index, affine in step.wants.items():
            if index in arrived:
                if arrived[index].equals(affine):
                    continue
                return _unequal(node)
            value = node.inputs[index]
            producer = None if value is None else value.producer()
            source = None if producer is None else source_of(producer, self._facts)
            if not isinstance(source, Source) or not source.affine.equals(affine):
                return _unequal(node)
            if source.node.name in self._skipped:
                return _unequal(node)
            return _Recruit(source)
        return None

    def _offer(
        self, state: _State, node: ir.Node, passes: Mapping[int, Affine]
    ) -> _State | Refusal:
        """The state after `node` left these affines to the readers of its outputs."""
        affines = dict(state.affines)
        pending = set(state.pending)
        for index, affine in passes.items():
            if affine.is_identity:
                continue
            value = node.outputs[index]
            if value.is_graph_output():
                return replace(_OUTPUT, at=f"output '{value.name}'")
            if not affine.fits(self._facts.dims(value)):
                return Refusal(
                    "shape-unknown",
                    "the static shape does not tell that the affine fits its output",
                    at=describe(node),
                    advice="run shape inference, or export with static dimensions",
                )
            affines[value] = {(node, index): affine}
            for reader, place in self._facts.readers(value):
                if reader.graph is not node.graph:
                    return replace(_NESTED, at=describe(reader))
                if reader in state.steps:
                    return _unequal(reader)
                if not reads_no_number(reader, place):
                    pending.add(reader)
        return replace(state, affines=affines, pending=frozenset(pending))

    def _ask(
        self, node: ir.Node, affines: Mapping[int, Affine], *, backward: bool
    ) -> Sequence[Step | Refusal]:
        """All alternatives of all rules for the operator; refusals stand where they were given."""
        if not is_op(node, node.op_type) or (node.name and node.name in self._skipped):
            code = "skipped" if node.name in self._skipped else "custom-operator"
            sentence = (
                "it was asked to stay as it is"
                if code == "skipped"
                else (f"nothing is known of operators of the domain '{node.domain}'")
            )
            return [Refusal(code, sentence, at=describe(node))]
        answers: list[Step | Refusal] = []
        for rule in self._rules.get(node.op_type, ()):
            question = rule.backward if backward else rule.forward
            if question is None or rule.name in self._skipped:
                continue
            answer = question(node, affines, self._facts)
            if isinstance(answer, Refusal):
                answers.append(replace(answer, at=answer.at or describe(node)))
                continue
            for step in answer:
                if step.price is None or step.price in self._prices:
                    answers.append(step)
                elif step.otherwise is not None:
                    answers.append(replace(step.otherwise, at=describe(node)))
        return answers


def _with_named_outputs(found: Plan | Refusal) -> Plan | Refusal:
    """A refusal where affines that amount to nothing stand between an input and an output.

    What the caller reads keeps its name, so something must be left that can bear it.
    """
    if isinstance(found, Refusal):
        return found
    dropped = {n: step.drops for n, step in found.steps.items() if step.drops is not None}
    for node, index in dropped.items():
        if not node.outputs[0].is_graph_output():
            continue
        kept = node.inputs[index]
        producer = None if kept is None else kept.producer()
        while producer is not None and producer in dropped:
            kept = producer.inputs[dropped[producer]]
            producer = None if kept is None else kept.producer()
        if kept is None or producer is None or producer.graph is not node.graph:
            return replace(_OUTPUT, at=f"output '{node.outputs[0].name}'")
        if kept.is_graph_output():
            return replace(_OUTPUT, at=f"output '{kept.name}'")
    return found


def _with_step(state: _State, node: ir.Node, step: Step) -> _State:
    return replace(state, steps={**state.steps, node: step})


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


def _unequal(node: ir.Node) -> Refusal:
    return Refusal(
        "unequal-branches", "its inputs do not all carry the same affine", at=describe(node)
    )
