"""What a question in either direction shares: the rules, how far it has come, why it stops."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import onnx_ir as ir

from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import contributed_op, describe, is_op, op_of
from bnfold.fold.facts.operator_facts import CONTROL_FLOW, NOT_LINEAR
from bnfold.fold.moves.range import out_of_range
from bnfold.fold.numbers.affine import Affine
from bnfold.fold.plan import (
    EXCHANGE,
    MISTAKES,
    Answer,
    Move,
    Plan,
    Question,
    Refusal,
    Replace,
    Report,
    Rule,
    told,
)
from bnfold.fold.question.unread import UnreadNodes
from bnfold.fold.sources.skipped import Skipped
from bnfold.fold.sources.source import custom_operator

_NOT_LINEAR = Refusal(
    "not-linear", "a scale and a shift cannot be moved through this operator without changing it"
)
_BODY = Refusal("nested-scope", "what it makes is made in its bodies, into which nothing moves")
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
FAILED = Refusal("rule-failed", "", advice="this is a bug in bnfold; please report it")
SKIPPED = Refusal("skipped", "it was asked to stay as it is")
LONE_SCALAR = Refusal(
    "lone-scalar",
    "one number for all channels is likely the 0.5 of a Gelu or the 1/6 of a HardSwish, which "
    "runtimes fuse as a whole",
)
_AMPLE = 1 << 62
_BESIDE = 32  # readers and inputs that are looked at, for each node that may be asked about
_TOO_FAR = Refusal("search-limit", "the affine would have to move through too many operators")


def no_rule(node: ir.Node) -> Refusal:
    """Why no rule answers for the node: by what it is, or because we have none."""
    where = describe(node)
    if is_op(node, *CONTROL_FLOW):
        return replace(_BODY, at=where)
    if is_op(node, *NOT_LINEAR):
        return replace(_NOT_LINEAR, at=where)
    sentence = f"bnfold does not know how {op_of(node)} treats a scale and a shift"
    return Refusal("unknown-operator", sentence, where, "please tell us where it occurs")


@dataclass(frozen=True)
class Offer:
    """One alternative of a node.

    Attributes:
        move: what the node would do.
        rule: the name of the rule that says so.
    """

    move: Move
    rule: str


@dataclass
class QuestionBudget:
    """What all questions about one model may cost: how often somebody is looked at.

    Attributes:
        left: so much.
        each_step: what a step that is carried out counts.
    """

    left: int
    each_step: int = 0

    @property
    def is_over(self) -> bool:
        """Whether less was asked than there was to ask."""
        return self.left < 0

    def carried_out(self, plan: Plan) -> None:
        """The plan was carried out, and proven."""
        self.left -= self.each_step * len(plan.steps)


class Asking:
    """Asks the rules about one node after another, up to a limit.

    Args:
        facts: of the model.
        rules: the table of moves.
        prices: the priced rewrites that may be used.
        skipped: rules and nodes that may not be used.
        report: told where a rule fails.
        unread: the nodes that nobody reads.
        budget: of the model; None for as much as it takes.

    Attributes:
        seen: the nodes that were looked at since it was last told to forget.
        declined: the prices of what was on offer and is not allowed, since then.
    """

    def __init__(
        self,
        facts: Facts,
        rules: Sequence[Rule],
        prices: Collection[str],
        skipped: Skipped,
        report: Report,
        unread: UnreadNodes,
        budget: QuestionBudget | None = None,
    ) -> None:
        self.facts = facts
        self._report = report
        self.skipped = skipped
        self.prices = prices
        self.unread = unread
        self.seen: dict[ir.Node, None] = {}
        self.declined: dict[str, None] = {}
        self._budget = budget or QuestionBudget(_AMPLE)
        self._visits = 0
        self._spent = 0
        self._most = 0
        self._is_closed = False
        self._rules: dict[str, list[Rule]] = {}
        for rule in rules:
            for op in rule.ops:
                self._rules.setdefault(op, []).append(rule)

    def may_copy(self, node: ir.Node) -> bool:
        """Whether a rule lets the operator be copied, with an affine in the copy."""
        return any(rule.copied for rule in self._rules.get(op_of(node), ()))

    def forget(self) -> None:
        """Another source is asked about."""
        self.seen, self.declined = {}, {}

    def begin(self, most: int) -> None:
        """A new question begins, about so many nodes at most."""
        self._visits, self._spent, self._most = 0, 0, most
        self._is_closed = False

    def spend(self, count: int) -> None:
        """So many readers, or inputs, are looked at."""
        self._spent += count
        self._budget.left -= count

    def visit(self, node: ir.Node) -> Refusal | None:
        """Counts the node; a refusal where the question has gone too far."""
        self._visits += 1
        # a Concat of thousands is one node, and looking at it takes as long as thousands do
        self.spend(1 + len(node.inputs))
        self.seen[node] = None
        too_far = self._visits > self._most or self._spent > _BESIDE * self._most
        if self._is_closed or too_far or self._budget.is_over:
            return replace(_TOO_FAR, at=describe(node))
        return None

    def close(self) -> bool:
        """Nobody more is asked, so that what stands on the way has to end there.

        Whether even that is too much, as the model's budget is over.
        """
        self._is_closed = True
        return self._budget.is_over

    def ended(self) -> None:
        """The node last visited took all there was: it leads nowhere, however many there are."""
        self._visits -= 1

    def ask(
        self, node: ir.Node, affines: Mapping[int, Affine], *, backward: bool
    ) -> Sequence[Offer | Refusal]:
        """All alternatives of all rules for the operator; refusals stand where they were given."""
        if self.skipped.has_node(node):
            return [replace(SKIPPED, at=describe(node))]
        op = op_of(node)
        # a function of the model may have the name of an operator of onnxruntime's
        if not op and node.op_identifier() not in self.facts.model.functions:
            op = contributed_op(node)
        if not op:
            return [custom_operator(node)]
        answers: list[Offer | Refusal] = []
        for rule in self._rules.get(op, ()):
            question = rule.backward if backward else rule.forward
            if question is None:
                continue
            answer = self._answer(rule, question, node, affines)
            if isinstance(answer, Refusal):
                answers.append(replace(answer, at=answer.at or describe(node)))
            elif answer and rule.name in self.skipped.rules:  # where it refuses, that says more
                answers.append(_left_out(rule, node))
            else:
                answers.extend(self._offer(rule, move, node, backward) for move in answer)
        return answers

    def _answer(
        self, rule: Rule, question: Question, node: ir.Node, affines: Mapping[int, Affine]
    ) -> Answer:
        """What the rule answers; a refusal where it fails, which is told."""
        try:
            return question(node, affines, self.facts)
        except MISTAKES as error:
            self._report(f"{describe(node)}: the rule '{rule.name}' failed: {told(error)}")
            return replace(FAILED, sentence=f"the rule '{rule.name}' failed, a bug in bnfold")

    def _offer(self, rule: Rule, move: Move, node: ir.Node, backward: bool) -> Offer | Refusal:
        """The move, or what to say where its type forbids it or nobody has allowed its price."""
        refusal = out_of_range(node, move, self.facts, backward=backward)
        if refusal is not None:
            return replace(refusal, at=describe(node))
        price = move.price if isinstance(move, Replace) else None
        if price is None or price.name in self.prices:
            return Offer(move, rule.name)
        if price.name != EXCHANGE:
            self.declined[price.name] = None
        return replace(price.otherwise, at=describe(node))


def _left_out(rule: Rule, node: ir.Node) -> Refusal:
    return Refusal("skipped", f"the rule '{rule.name}' was asked to be left out", at=describe(node))
