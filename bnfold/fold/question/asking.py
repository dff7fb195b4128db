"""What a question in either direction shares: the rules, how far it has come, why it stops."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import onnx_ir as ir

from bnfold.fold.facts.graph import Facts, describe, is_op
from bnfold.fold.numbers.affine import Affine
from bnfold.fold.numbers.exact import Exact
from bnfold.fold.plan import Plan, Refusal, Rule, Step

_BUDGET = 400  # nodes asked about per question: what keeps the whole fold linear

NO_RULE = Refusal(
    "not-linear", "a scale and a shift cannot be moved through this operator without changing it"
)
OUTPUT = Refusal(
    "graph-output",
    "the caller reads this tensor, so its values must stay",
    advice="drop the tensor from the model's outputs if nobody reads it",
)
NESTED = Refusal("nested-scope", "the tensor crosses the border of an If, Loop or Scan body")
UNKNOWN_SHAPE = Refusal(
    "shape-unknown",
    "the static shape does not tell that the affine fits its output",
    advice="run shape inference, or export with static dimensions",
)
_TOO_FAR = Refusal("search-limit", "the affine would have to move through too many operators")


@dataclass(frozen=True)
class State:
    """How far a question has come; copied at each step, so that an alternative starts clean."""

    steps: Mapping[ir.Node, Step]
    affines: Mapping[ir.Value, Mapping[tuple[ir.Node, int], Affine]] = field(default_factory=dict)
    pending: frozenset[ir.Node] = frozenset()
    constants: Mapping[tuple[ir.Node, int], Exact] = field(default_factory=dict)
    witnesses: frozenset[ir.Node] = frozenset()

    def plan(self, direction: str) -> Plan:
        """All that was decided, as one plan."""
        return Plan(self.steps, self.constants, frozenset(self.affines), self.witnesses, direction)

    def with_step(self, node: ir.Node, step: Step) -> State:
        """The state after the node's alternative was taken."""
        return replace(self, steps={**self.steps, node: step})


class Asking:
    """Asks the rules about one node after another, up to a limit.

    Args:
        facts: of the model.
        rules: the table of moves.
        prices: the priced rewrites that may be used.
        skipped: names of rules and of nodes that may not be used.
    """

    def __init__(
        self, facts: Facts, rules: Sequence[Rule], prices: Collection[str], skipped: Collection[str]
    ) -> None:
        self.facts = facts
        self.skipped = skipped
        self._prices = prices
        self._visits = 0
        self._rules: dict[str, list[Rule]] = {}
        for rule in rules:
            for op in rule.ops:
                self._rules.setdefault(op, []).append(rule)

    def begin(self) -> None:
        """A new question begins."""
        self._visits = 0

    def visit(self, node: ir.Node) -> Refusal | None:
        """Counts the node; a refusal where the question has gone too far."""
        self._visits += 1
        return replace(_TOO_FAR, at=describe(node)) if self._visits > _BUDGET else None

    def ask(
        self, node: ir.Node, affines: Mapping[int, Affine], *, backward: bool
    ) -> Sequence[Step | Refusal]:
        """All alternatives of all rules for the operator; refusals stand where they were given."""
        if not is_op(node, node.op_type) or (node.name and node.name in self.skipped):
            code = "skipped" if node.name in self.skipped else "custom-operator"
            sentence = (
                "it was asked to stay as it is"
                if code == "skipped"
                else (f"nothing is known of operators of the domain '{node.domain}'")
            )
            return [Refusal(code, sentence, at=describe(node))]
        answers: list[Step | Refusal] = []
        for rule in self._rules.get(node.op_type, ()):
            question = rule.backward if backward else rule.forward
            if question is None or rule.name in self.skipped:
                continue
            answer = question(node, affines, self.facts)
            if isinstance(answer, Refusal):
                answers.append(replace(answer, at=answer.at or describe(node)))
                continue
            for step in answer:
                if step.price is None or step.price in self._prices:
                    answers.append(step)
                elif step.otherwise is not None:
                    answers.append(replace(step.otherwise, at=describe(node)))
        return answers
