"""Merges until nothing changes: operators are looked at again where a neighbour was merged."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import onnx_ir as ir

from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import describe, op_of
from bnfold.fold.facts.operator_facts import LINEAR
from bnfold.fold.merge import concat, parallel, sequential, sum_tree, tiled_statistics
from bnfold.fold.merge.merge import Merge
from bnfold.fold.plan import MISTAKES, Report, told
from bnfold.fold.sources.skipped import Skipped

RULES = {
    sum_tree.RULE: (("Add", "Sub", "Sum"), parallel.parallel_merge),
    sequential.RULE: (LINEAR, sequential.sequential_merge),
    concat.RULE: (("Concat",), concat.concat_merge),
    tiled_statistics.RULE: (("BatchNormalization",), tiled_statistics.by_channel),
}


class Merger:
    """Finds the merges of one model.

    Args:
        facts: of the model.
        skipped: nodes and rules that are left alone.
        report: told where a rule fails.
    """

    def __init__(self, facts: Facts, skipped: Skipped, report: Report) -> None:
        self._facts = facts
        self._report = report
        self._skipped = skipped
        self._refused: set[ir.Node] = set()
        self._rules = {
            op: rule
            for name, (ops, rule) in RULES.items()
            if name not in skipped.rules
            for op in ops
        }

    def run(self, carry_out: Callable[[Merge], bool]) -> bool:
        """Whether anything was merged; `carry_out` tells whether it did as it was told."""
        pending = deque(self._facts.model.graph.all_nodes())
        waiting = set(pending)
        changed = False
        while pending:
            node = pending.popleft()
            waiting.discard(node)
            merge = self._find(node)
            if merge is None:
                continue
            neighbours = [node, merge.host]
            if not carry_out(merge):
                self._refused.add(node)
                continue
            changed = True
            neighbours += [use.node for use in merge.host.outputs[0].uses()]
            again = sorted(set(neighbours) - waiting, key=self._facts.order)
            waiting.update(again)
            pending.extend(again)
        return changed

    def _rule(self, node: ir.Node) -> Callable[..., Merge | None] | None:
        return self._rules.get(op_of(node))

    def _find(self, node: ir.Node) -> Merge | None:
        rule = self._rule(node)
        if rule is None or node.graph is None or node in self._refused:
            return None
        try:
            return rule(node, self._facts, self._skipped)
        except MISTAKES as error:
            self._refused.add(node)
            self._report(f"{describe(node)}: a merge failed: {told(error)}")
            return None
