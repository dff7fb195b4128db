"""Answers that hold until something changes nearby: nobody is asked twice for nothing."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass

import onnx_ir as ir

from bnfold.fold.plan import Plan, Refusal
from bnfold.fold.question.asking import Asking

_FEW = 8  # readers that are told of each other's changes: what is read by many stays so


@dataclass(frozen=True)
class Answered:
    """What a search that found nothing came upon.

    Attributes:
        refusals: why.
        declined: the prices of what was on offer, and not allowed.
        seen: the nodes that were looked at: it holds as long as they, and those beside, stay.
        edits: how many there had been.
    """

    refusals: tuple[Refusal, ...]
    declined: tuple[str, ...]
    seen: tuple[ir.Node, ...]
    edits: int


class Memo:
    """Remembers searches in vain, and what was changed since."""

    def __init__(self) -> None:
        self._edits = 0
        self._changed: dict[ir.Node, int] = {}
        self._answers: dict[Hashable, Answered] = {}

    def note(self, question: Hashable, refusals: tuple[Refusal, ...], asking: Asking) -> None:
        """The question was answered like this just now."""
        declined, seen = tuple(asking.declined), tuple(asking.seen)
        self._answers[question] = Answered(refusals, declined, seen, self._edits)

    def recall(self, question: Hashable) -> Answered | None:
        """The answer, where nothing has changed that it rests on."""
        found = self._answers.get(question)
        if found is None or any(self._changed.get(n, 0) > found.edits for n in found.seen):
            return None
        return found

    def will_change(self, plan: Plan) -> None:
        """The plan is about to be carried out."""
        self._edits += 1
        for node in {*plan.steps, *(node for node, _ in plan.constants)}:
            for near in _near(node):
                self._changed[near] = self._edits


def _near(node: ir.Node) -> Iterator[ir.Node]:
    """The node, those beside it, and as far as a rule looks when it is asked about one of them."""
    yield node
    for value in node.inputs:
        producer = None if value is None else value.producer()
        if producer is not None:
            yield producer
        if value is not None:
            yield from _few_readers(value)
    for value in node.outputs:
        for use in value.uses():
            yield use.node
            for behind in use.node.outputs:
                yield from _few_readers(behind)


def _few_readers(value: ir.Value) -> Iterator[ir.Node]:
    uses = value.uses()
    return (use.node for use in uses) if len(uses) <= _FEW else iter(())
