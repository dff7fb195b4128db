"""Branches that are added become one convolution.

    conv(x, W1, b1) + conv(x, W2, b2) + (s x + t) + mean(x) = conv(x, W, b)

x itself is the 1-tap kernel of ones, an affine of x `diag(s)` with the bias t, a mean over a window
that counts its padding the depthwise kernel `1 / taps`; a constant per channel is a bias. One of
the convolutions stays, with the weights of all. It never multiplies more often than those before it
did together.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import onnx_ir as ir

from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import is_op
from bnfold.fold.merge.affines import affine_merge
from bnfold.fold.merge.algebra import Sizes, added
from bnfold.fold.merge.branch import Way, ways_down
from bnfold.fold.merge.dense import dense_nodes
from bnfold.fold.merge.into_one_branch import merged_into_host
from bnfold.fold.merge.kernel import Kernel
from bnfold.fold.merge.merge import Merge
from bnfold.fold.merge.sum_tree import Leaf, Pruned, SumTree, is_root, pruned, tree_of
from bnfold.fold.merge.transposed import macs_beside
from bnfold.fold.numbers.affine import Array
from bnfold.fold.sources.skipped import Skipped


@dataclass(frozen=True)
class _Part:
    """One leaf of the group: a convolution of the common input."""

    leaf: Leaf
    way: Way
    kernel: Kernel


@dataclass(frozen=True)
class _Group:
    """What can be one convolution, and that convolution."""

    parts: tuple[_Part, ...]
    biases: tuple[Leaf, ...]
    kernel: Kernel


def parallel_merge(node: ir.Node, facts: Facts, skipped: Skipped) -> Merge | None:
    """The branches of the sum that ends in this node and can be one."""
    if not is_root(node, skipped, facts):
        return None
    tree = tree_of(node, skipped, facts)
    ways = {leaf: list(ways_down(leaf.value, facts, skipped)) for leaf in tree.leaves}
    for base in _bases(ways.values()):
        parts = _parts(base, ways)
        group = _group(parts, base, tree, facts)
        merge = None if group is None else _merge(group, base, tree, facts)
        if merge is not None:
            return merge
    return affine_merge(tree, ways, facts)


def _bases(ways: Iterable[Sequence[Way]]) -> list[ir.Value]:
    """Every value that some leaf is a convolution of, in the order of the leaves."""
    found = (way.base for leaf in ways for way in leaf if way.host is not None)
    return list(dict.fromkeys(found))


def _parts(base: ir.Value, ways: dict[Leaf, list[Way]]) -> list[_Part]:
    """All leaves that are a convolution of this value; an affine has the channels of the others."""
    to_base = {leaf: way for leaf, all_ways in ways.items() for way in all_ways if way.base is base}
    # an affine alone does not tell how many axes and channels its 1-tap kernel has to have
    like = next(way.kernel for way in to_base.values() if way.kernel is not None)
    found = ((leaf, way, way.as_kernel(like)) for leaf, way in to_base.items())
    return [_Part(leaf, way, kernel) for leaf, way, kernel in found if kernel is not None]


def _group(parts: list[_Part], base: ir.Value, tree: SumTree, facts: Facts) -> _Group | None:
    """The first convolution, by its work, that others can join without more work.

    A constant alone is left to folding, but for that of a Sum, which is no affine there.
    """
    # the largest first: what joins it enlarges it least, and more work is refused
    for anchor in sorted(parts, key=lambda part: -part.kernel.macs):
        if anchor.way.host is None:
            continue
        found = _with(anchor, parts, _sizes(base, anchor.kernel, facts))
        biases = _biases(anchor.way.host, tree, anchor.kernel, facts)
        is_sum = any(is_op(leaf.join, "Sum") for leaf in biases)
        if found is not None and (len(found.parts) > 1 or is_sum):
            total = found.kernel.bias
            for leaf, vector in biases.items():
                total = total + leaf.sign * vector
            return replace(found, biases=tuple(biases), kernel=replace(found.kernel, bias=total))
    return None


def _sizes(base: ir.Value, kernel: Kernel, facts: Facts) -> Sizes:
    """The extents of x in space, None where unknown."""
    return tuple(facts.dim(base, axis + 2) for axis in range(len(kernel.axes)))


def _with(anchor: _Part, parts: list[_Part], sizes: Sizes) -> _Group | None:
    """The anchor with all that fit it; where that is too much work, with one after the other."""
    fitting = [p for p in parts if p is anchor or _sum([anchor, p], sizes) is not None]
    whole = _no_more_work(fitting, sizes)
    if whole is not None:
        return _Group(tuple(fitting), (), whole)
    chosen, kernel = [anchor], _no_more_work([anchor], sizes)
    for part in fitting:
        larger = None if part is anchor else _no_more_work([*chosen, part], sizes)
        if larger is not None:
            chosen, kernel = [*chosen, part], larger
    return None if kernel is None else _Group(tuple(chosen), (), kernel)


def _sum(parts: Sequence[_Part], sizes: Sizes) -> Kernel | None:
    return added([(part.kernel, part.leaf.sign) for part in parts], sizes)


def _no_more_work(parts: Sequence[_Part], sizes: Sizes) -> Kernel | None:
    kernel = _sum(parts, sizes)
    paid = macs_beside([part.kernel for part in parts])
    fits = kernel is not None and kernel.macs <= paid and kernel.is_an_operator
    return kernel if fits else None


def _biases(host: ir.Node, tree: SumTree, kernel: Kernel, facts: Facts) -> dict[Leaf, Array]:
    """The leaves that are constants per channel, `[Cout]`, as broadcasting lays them.

    A MatMul has no bias of its own: what is added to it stays where it is.
    """
    found: dict[Leaf, Array] = {}
    if is_op(host, "MatMul"):
        return found
    rank, channels = len(kernel.axes) + 2, kernel.channels_out
    for leaf in tree.leaves:
        exact = facts.exact(leaf.value)
        if exact is None or len(exact.shape) > rank or exact.size not in (1, channels):
            continue
        shape = (1,) * (rank - len(exact.shape)) + exact.shape
        if shape[1] == exact.size:
            found[leaf] = np.broadcast_to(exact.value().reshape(-1), (channels,))
    return found


def _merge(group: _Group, base: ir.Value, tree: SumTree, facts: Facts) -> Merge | None:
    chosen = frozenset([*(part.leaf for part in group.parts), *group.biases])
    best: tuple[Pruned, _Part] | None = None
    # which leaf stays decides the signs of the joins: one that only changes a sign is a pass
    for part in sorted(group.parts, key=lambda part: -part.kernel.macs):
        left = None if part.way.host is None else pruned(tree, chosen, part.leaf, facts)
        if left is not None and (best is None or left.negations < best[0].negations):
            best = left, part
    return None if best is None else _as_merge(group, base, best[1], best[0], facts)


def _as_merge(group: _Group, base: ir.Value, hosting: _Part, left: Pruned, facts: Facts) -> Merge:
    host = hosting.way.host
    assert host is not None
    kernel = _negated(group.kernel) if left.sign < 0 else group.kernel
    new = (kernel.as_node(base),) if kernel.axes else dense_nodes(kernel, host, base, facts)
    ways = {part.leaf: part.way for part in group.parts}
    ways |= {leaf: Way(leaf.value) for leaf in group.biases}
    return merged_into_host(ways, hosting.leaf, host, new, left, facts)


def _negated(kernel: Kernel) -> Kernel:
    flipped = added([(kernel, -1.0)], (None,) * len(kernel.axes))
    assert flipped is not None
    return flipped
