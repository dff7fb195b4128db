"""Batch norms of one value that are added become one batch norm, which may then fold.

(s1 x + t1) + (s2 x + t2) + x = (s1 + s2 + 1) x + (t1 + t2)

It goes back into what makes x where each of them alone could not: the others read x too.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx_ir as ir

from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import is_op
from bnfold.fold.merge.branch import Way
from bnfold.fold.merge.into_one_branch import merged_into_host
from bnfold.fold.merge.merge import Merge
from bnfold.fold.merge.sum_tree import Leaf, SumTree, pruned
from bnfold.fold.moves.absorb.affine_nodes import batch_norm
from bnfold.fold.numbers.affine import Affine, identity


def affine_merge(tree: SumTree, ways: dict[Leaf, list[Way]], facts: Facts) -> Merge | None:
    """The batch norm that all affines of one value come to, for the first value that has two."""
    affines: dict[ir.Value, dict[Leaf, Way]] = {}
    for leaf, all_ways in ways.items():
        for way in all_ways:
            if way.kernel is None:
                affines.setdefault(way.base, {})[leaf] = way
    for group in affines.values():
        merge = _merge(group, tree, facts) if len(group) > 1 else None
        if merge is not None:
            return merge
    return None


def _merge(group: dict[Leaf, Way], tree: SumTree, facts: Facts) -> Merge | None:
    for leaf, way in group.items():
        host = next((node for node, _ in way.nodes if is_op(node, "BatchNormalization")), None)
        left = None if host is None else pruned(tree, frozenset(group), leaf, facts)
        if host is None or left is None:
            continue
        for step in batch_norm(host, _total(group, left.sign), facts):
            (node,) = step.nodes
            new = replace(node, inputs=(way.base, *node.inputs[1:]))
            return merged_into_host(group, leaf, host, (new,), left, facts)
    return None


def _total(group: dict[Leaf, Way], sign: float) -> Affine:
    """The sum of all, x itself among them, with the sign that the host has."""
    rank = max(way.affine.rank for way in group.values() if way.affine is not None)
    parts = [(sign * leaf.sign, way.affine or identity(rank)) for leaf, way in group.items()]
    scales = [factor * affine.scale for factor, affine in parts]
    shifts = [factor * affine.shift for factor, affine in parts]
    return Affine(np.asarray(sum(scales)), np.asarray(sum(shifts)))
