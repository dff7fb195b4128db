"""One branch of a sum takes over the others: the plan."""

from __future__ import annotations

from collections.abc import Mapping

import onnx_ir as ir

from bnfold.fold.facts.graph import Facts
from bnfold.fold.merge.branch import Way
from bnfold.fold.merge.merge import Merge
from bnfold.fold.merge.sum_tree import RULE, Leaf, Pruned
from bnfold.fold.plan import NewNode, PassBy, Plan, Remove, Replace


def merged_into_host(
    ways: Mapping[Leaf, Way],
    hosting: Leaf,
    host: ir.Node,
    new: tuple[NewNode, ...],
    left: Pruned,
    facts: Facts,
) -> Merge:
    """The sum with one operator in the place of several branches.

    Nodes above the host in its branch are passed by, those below and in other branches go.

    Args:
        ways: the leaves that become one, the host's among them; of a constant, a way of no steps.
        hosting: the leaf that the host is in the branch of.
        host: the operator that stays.
        new: what it becomes.
        left: what becomes of the joins.
        facts: of the model.
    """
    nodes = {node for way in ways.values() for node, _ in way.nodes}
    steps = {**left.steps, **{node: Remove() for node in nodes}}
    moved = {host.outputs[0]}
    for node, index in ways[hosting].nodes:
        if node is host:
            break
        steps[node] = PassBy(index)
        moved.add(node.outputs[0])
    steps[host] = Replace(new)
    plan = Plan(steps, {}, left.moved | moved, left.context, "merge", (RULE,))
    bare = {leaf.join for leaf, way in ways.items() if not way.nodes}
    return Merge(plan, host, tuple(sorted(nodes | bare, key=facts.order)))
