"""A convolution behind another one becomes one with it.

conv(conv(x, W1, b1), W2, b2) = conv(x, W2 W1, W2 b1 + b2): see `algebra.composed` for when that is
exact. It is done where it does not multiply more often than the two did.
"""

from __future__ import annotations

from collections.abc import Collection

import onnx_ir as ir

from bnfold.fold.graph import Facts, is_op
from bnfold.fold.merge.algebra import composed
from bnfold.fold.merge.found import Merge, is_private
from bnfold.fold.merge.kernel import Kernel, kernel_of
from bnfold.fold.plan import Plan, Step

RULE = "merge-sequential"


def sequential_merge(node: ir.Node, facts: Facts, skipped: Collection[str]) -> Merge | None:
    """The Conv with the Conv whose output it alone reads."""
    middle = node.inputs[0] if node.inputs else None
    first = None if middle is None else middle.producer()
    if middle is None or first is None or not is_private(middle):
        return None
    if not is_op(node, "Conv") or not is_op(first, "Conv") or {node.name, first.name} & {*skipped}:
        return None
    before, after = kernel_of(first, facts), kernel_of(node, facts)
    whole = None if before is None or after is None else _composed(before, after)
    if whole is None:
        return None
    steps = {
        node: Step(RULE, nodes=(whole.as_node(first.inputs[0]),)),
        first: Step(RULE, removes=True),
    }
    return Merge(Plan(steps, direction=RULE), node, (first, node))


def _composed(first: Kernel, second: Kernel) -> Kernel | None:
    """Both in one, if that is exact and no more work than they are."""
    whole = composed(first, second)
    paid = second.macs if second.is_enlarging else first.macs + second.macs
    return whole if whole is not None and whole.macs <= paid else None
