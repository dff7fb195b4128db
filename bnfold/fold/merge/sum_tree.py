"""A tree of additions, and what it comes to when some of its leaves become one."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import onnx_ir as ir

from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import is_op
from bnfold.fold.merge.merge import is_private
from bnfold.fold.plan import NewNode, PassBy, Remove, Replace, Step
from bnfold.fold.sources.skipped import Skipped

RULE = "merge-parallel"
_SUMS_BROADCAST = 8  # the opset since which a Sum does; what is left of one is of no one shape
_MOST = 256  # leaves: what keeps a merge from looking at a long sum again and again


@dataclass(frozen=True)
class Leaf:
    """A value that the tree adds, with the sign it has in the sum."""

    value: ir.Value
    sign: float
    join: ir.Node
    index: int


@dataclass(frozen=True)
class SumTree:
    """Add, Sub and Sum nodes that read one another and are read by nobody else.

    Attributes:
        root: the join whose output is the sum.
        joins: all of them, each before those that it reads.
        leaves: what they add, in the order of the operands.
        parents: join to the operand of another one that it is.
    """

    root: ir.Node
    joins: tuple[ir.Node, ...]
    leaves: tuple[Leaf, ...]
    parents: Mapping[ir.Node, tuple[ir.Node, int]]


@dataclass(frozen=True)
class Pruned:
    """What the joins become when all chosen leaves but one are gone, that one carrying their sum.

    Attributes:
        steps: joins that change or go.
        moved: outputs of joins that carry another part of the sum than they did.
        context: joins that stay as they are and read something that moved.
        negations: joins that now only change a sign.
        sign: the host's in what is left.
    """

    steps: Mapping[ir.Node, Step]
    moved: frozenset[ir.Value]
    context: frozenset[ir.Node]
    negations: int
    sign: float


def is_join(node: ir.Node | None, skipped: Skipped, facts: Facts) -> bool:
    """Whether the node adds run-time values, by today's broadcasting and with leave to change."""
    joins = ("Add", "Sub", "Sum") if facts.opset() >= _SUMS_BROADCAST else ("Add", "Sub")
    if node is None or not is_op(node, *joins) or skipped.has_node(node):
        return False
    return "broadcast" not in node.attributes  # without it, an axis says nothing


def is_root(node: ir.Node, skipped: Skipped, facts: Facts) -> bool:
    """Whether the node is a join that no other join takes into its own tree."""
    value = node.outputs[0]
    if not is_join(node, skipped, facts):
        return False
    return not (is_private(value) and is_join(next(iter(value.uses())).node, skipped, facts))


def tree_of(root: ir.Node, skipped: Skipped, facts: Facts) -> SumTree:
    """The tree of additions that ends in this join; what is too far from it counts as a leaf."""
    joins: list[ir.Node] = []
    leaves: list[Leaf] = []
    parents: dict[ir.Node, tuple[ir.Node, int]] = {}
    pending = [(root, 1.0)]
    while pending:
        join, sign = pending.pop(0)
        joins.append(join)
        for index, value in enumerate(join.inputs):
            own = -sign if is_op(join, "Sub") and index == 1 else sign
            producer = None if value is None else value.producer()
            # a value that somebody else reads has to stay what it is: for this tree it is a leaf
            inner = (
                value is not None
                and is_private(value)
                and is_join(producer, skipped, facts)
                and len(leaves) + len(pending) < _MOST
            )
            if inner and producer is not None:
                parents[producer] = (join, index)
                pending.append((producer, own))
            elif value is not None:
                leaves.append(Leaf(value, own, join, index))
    return SumTree(root, tuple(joins), tuple(leaves), parents)


def pruned(tree: SumTree, chosen: Collection[Leaf], host: Leaf, facts: Facts) -> Pruned | None:
    """The tree with the chosen leaves in the host's place.

    a + (b + c) = (a + c)' + b with the host a, and the join of b and c gives way to b. A Sub whose
    first operand goes is a Neg of the second, unless that is the host, whose sign is free.

    Returns:
        None where a join that stays might change its shape, for want of the leaf that had it; or
        where the chosen leaves make a sum that was not computed before and float16 might not hold.
    """
    gone = {(leaf.join, leaf.index) for leaf in chosen if leaf is not host}
    beneath = _beneath(tree)
    # a join that adds the chosen ones and nothing else computed their sum already, so it fits
    is_a_sum = any(set(leaves) == set(chosen) for leaves in beneath.values())
    if not is_a_sum and facts.dtype(host.value) == ir.DataType.FLOAT16:
        return None
    steps: dict[ir.Node, Step] = {}
    moved: set[ir.Value] = set()
    context: set[ir.Node] = set()
    sign = host.sign
    for join in reversed(tree.joins):  # from the leaves to the root: a join knows what became below
        under = [leaf for leaf in beneath[join] if leaf in chosen]
        if 0 < len(under) < len(chosen):
            # some of the chosen are added here and some further up: their sum comes in by the host
            moved.add(join.outputs[0])
        kept = [i for i in range(len(join.inputs)) if (join, i) not in gone]
        if not kept:  # then it is an operand of its own parent no more
            steps[join] = Remove()
            gone.add(tree.parents[join])
            continue
        if len(kept) < len(join.inputs):
            # what is left of a Sub without its first operand is negative: the host can be so itself
            is_host = [leaf for leaf in beneath[join] if leaf not in chosen] == [] and host in under
            negates = is_op(join, "Sub") and kept == [1]
            sign = -sign if negates and is_host else sign
            steps[join] = _shortened(join, kept, negates=negates and not is_host)
        elif any(value in moved for value in join.inputs) or host.join is join:
            # unchanged, but what it computes is another part of the sum: the proof has to run it
            context.add(join)
        # a join that stays may have had its shape from leaves that are gone: another must have it
        is_bare = isinstance(steps.get(join), PassBy)
        if join.outputs[0] in moved and host not in under and not is_bare:
            rest = [leaf.value for leaf in beneath[join] if leaf not in chosen]
            if not any(_has_shape_of(value, join.outputs[0], facts) for value in rest):
                return None
    negations = sum(
        is_op(join, "Sub") and isinstance(step, Replace) for join, step in steps.items()
    )
    return Pruned(steps, frozenset(moved), frozenset(context), negations, sign)


def _shortened(join: ir.Node, kept: list[int], *, negates: bool) -> Step:
    if len(kept) > 1:
        return Replace((NewNode("Sum", tuple(join.inputs[i] for i in kept), {}),))
    if negates:
        return Replace((NewNode("Neg", (join.inputs[1],), {}),))
    return PassBy(kept[0])


def _beneath(tree: SumTree) -> Mapping[ir.Node, list[Leaf]]:
    found: dict[ir.Node, list[Leaf]] = {join: [] for join in tree.joins}
    for leaf in tree.leaves:
        for join in _upward(leaf.join, tree):
            found[join].append(leaf)
    return found


def _upward(join: ir.Node, tree: SumTree) -> Iterator[ir.Node]:
    yield join
    while join in tree.parents:
        join = tree.parents[join][0]
        yield join


def _has_shape_of(value: ir.Value, whole: ir.Value, facts: Facts) -> bool:
    dims = facts.dims(value)
    return dims is not None and None not in dims and dims == facts.dims(whole)
