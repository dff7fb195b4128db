"""Convolutions of one value, concatenated along the channels, become one with the rows of all.

    concat(conv(x, W1, b1), conv(x, W2, b2)) = conv(x, [W1; W2], [b1; b2])

and where a convolution reads the Concat, the two are composed: W' = W [W1; W2]. Each W_i stands
among zero rows, and the sum of those is what `algebra.added` makes, so that kernels of different
sizes fit too. It never multiplies more often than those before it did together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import onnx_ir as ir

from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import attribute_of, is_op
from bnfold.fold.merge.algebra import added, composed, in_blocks, with_macs
from bnfold.fold.merge.branch import Way, ways_down
from bnfold.fold.merge.dense import dense_nodes
from bnfold.fold.merge.kernel import Kernel
from bnfold.fold.merge.merge import Merge
from bnfold.fold.merge.transposed import macs_behind, macs_beside
from bnfold.fold.merge.window_kernel import CONVOLUTIONS, kernel_of
from bnfold.fold.numbers.affine import Array
from bnfold.fold.numbers.exact import computed
from bnfold.fold.plan import NewNode, Plan, Remove, Replace, Step
from bnfold.fold.sources.skipped import Skipped

RULE = "merge-concat"


@dataclass(frozen=True)
class Concatenated:
    """A Concat whose parts are convolutions of one value.

    Attributes:
        node: the Concat.
        base: that value.
        ways: how each part is made of it.
        kernel: all of it as a convolution, at the price of the parts.
        host: the first of the convolutions.
    """

    node: ir.Node
    base: ir.Value
    ways: tuple[Way, ...]
    kernel: Kernel
    host: ir.Node

    @property
    def nodes(self) -> tuple[ir.Node, ...]:
        """All that the convolution stands for."""
        return (*(node for way in self.ways for node, _ in way.nodes), self.node)


def concat_merge(node: ir.Node, facts: Facts, skipped: Skipped) -> Merge | None:
    """The Concat and its parts as one operator, where that is no more work."""
    found = concatenated(node, facts, skipped)
    if found is None or found.kernel.weight.size > found.kernel.macs:
        return None  # the zeros around small kernels and between groups are multiplied too
    kernel, host, base = found.kernel, found.host, found.base
    new = (kernel.as_node(base),) if kernel.axes else dense_nodes(kernel, host, base, facts)
    return _merge(found.nodes, node, new, facts)


def behind_concat(node: ir.Node, concat: ir.Node, facts: Facts, skipped: Skipped) -> Merge | None:
    """A convolution with the Concat that it alone reads, and the parts of that.

    Products need no such step: as one they are never more work, so that their Concat is gone.
    """
    if RULE in skipped.rules:
        return None
    found, own = concatenated(concat, facts, skipped), kernel_of(node, facts)
    if found is None or own is None:
        return None
    whole = composed(found.kernel, own)
    if whole is None or whole.macs > macs_behind(found.kernel, own) or not whole.is_an_operator:
        return None
    return _merge((*found.nodes, node), node, (whole.as_node(found.base),), facts)


def concatenated(node: ir.Node, facts: Facts, skipped: Skipped) -> Concatenated | None:
    """The Concat along the channels, its parts down to the one value that they have in common."""
    if skipped.has_node(node):
        return None
    parts = [value for value in node.inputs if value is not None]
    ways = [[w for w in ways_down(value, facts, skipped) if w.host is not None] for value in parts]
    for first in ways[0]:
        chosen = tuple(way for each in ways for way in each if way.base is first.base)
        found = _of_ways(node, chosen, facts) if len(chosen) == len(node.inputs) else None
        if found is not None:
            return found
    return None


def _of_ways(node: ir.Node, ways: tuple[Way, ...], facts: Facts) -> Concatenated | None:
    kernels = [way.kernel for way in ways if way.kernel is not None]
    hosts = [way.host for way in ways if way.host is not None]
    rank, base = facts.rank(node.outputs[0]), ways[0].base
    if rank is None:
        return None
    channels = 1 if kernels[0].axes else rank - 1
    if attribute_of(node, "axis", 1) % rank != channels or not _runs_alike(hosts):
        return None
    whole = _stacked(kernels, base, facts)
    if whole is None or not whole.is_an_operator:
        return None
    return Concatenated(node, base, ways, with_macs(whole, macs_beside(kernels)), hosts[0])


def _runs_alike(hosts: Sequence[ir.Node]) -> bool:
    """Whether the operators are all convolutions, or all products of one kind."""
    kinds = (CONVOLUTIONS, ("Gemm",), ("MatMul",))
    return any(all(is_op(host, *kind) for host in hosts) for kind in kinds)


def _stacked(kernels: Sequence[Kernel], base: ir.Value, facts: Facts) -> Kernel | None:
    """The rows of all, one below the other."""
    total = sum(kernel.channels_out for kernel in kernels)
    starts = np.cumsum([0, *(kernel.channels_out for kernel in kernels)]).tolist()
    placed = [(_placed(k, start, total), 1.0) for k, start in zip(kernels, starts, strict=False)]
    return added(placed, tuple(facts.dim(base, i + 2) for i in range(len(kernels[0].axes))))


def _placed(kernel: Kernel, start: int, total: int) -> Kernel:
    """The kernel with outputs of zeros before and behind its own."""
    own = slice(start, start + kernel.channels_out)
    outer = (kernel.rows, total) if kernel.is_transposed else (total, kernel.columns)
    shape = (*outer, *kernel.weight.shape[2:])

    def rows(first: int, last: int) -> Array:
        whole = np.zeros((last - first, *shape[1:]))
        if kernel.is_transposed:
            whole[:, own] = in_blocks(kernel, 1, first, last)
            return whole
        a, b = max(first, own.start), min(last, own.stop)
        if a < b:
            whole[a - first : b - first] = in_blocks(kernel, 1, a - start, b - start)
        return whole

    bias = np.zeros(total)
    bias[own] = kernel.bias
    # row by row, as it is asked for: with its zeros it is as large as all parts together
    weight = computed(shape, kernel.weight.dtype, rows)
    return replace(kernel, weight=weight, bias=bias, group=1)


def _merge(
    parts: Sequence[ir.Node], host: ir.Node, new: tuple[NewNode, ...], facts: Facts
) -> Merge:
    """The last operator becomes the new one, with its name and its output; the others go."""
    steps: dict[ir.Node, Step] = {node: Remove() for node in parts if node is not host}
    plan = Plan({**steps, host: Replace(new)}, direction="merge", rules=(RULE,))
    return Merge(plan, host, tuple(sorted({*parts}, key=facts.order)))
