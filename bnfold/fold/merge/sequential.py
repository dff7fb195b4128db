"""A linear operator behind another one becomes one with it: convolutions, products, and such.

conv(conv(x, W1, b1), W2, b2) = conv(x, W2 W1, W2 b1 + b2): see `algebra.composed` for when that is
exact. It is done where it does not multiply more often than the two did.
"""

from __future__ import annotations

import onnx_ir as ir

from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import attribute_of, is_op
from bnfold.fold.merge.algebra import composed
from bnfold.fold.merge.concat import behind_concat
from bnfold.fold.merge.dense import dense_nodes, dense_of
from bnfold.fold.merge.kernel import Kernel
from bnfold.fold.merge.merge import Merge, is_private
from bnfold.fold.merge.transposed import macs_behind
from bnfold.fold.merge.whole_extent import LAYS_FLAT, behind_flatten
from bnfold.fold.merge.window_kernel import CONVOLUTIONS, kernel_of
from bnfold.fold.numbers.exact import scaled
from bnfold.fold.plan import NewNode, Plan, Remove, Replace
from bnfold.fold.sources.skipped import Skipped
from bnfold.fold.sources.source import ARITHMETIC, Source, source_of

RULE = "merge-sequential"


def sequential_merge(node: ir.Node, facts: Facts, skipped: Skipped) -> Merge | None:
    """The operator with the one whose output it alone reads."""
    first = _maker(node.inputs[0] if node.inputs else None, skipped)
    if first is None or skipped.has_node(node):
        return None
    if is_op(first, "Concat"):
        return behind_concat(node, first, facts, skipped)
    if is_op(node, *CONVOLUTIONS) and is_op(first, *CONVOLUTIONS):
        before, after = kernel_of(first, facts), kernel_of(node, facts)
        whole = None if before is None or after is None else _composed(before, after)
        x = first.inputs[0]
        return None if whole is None else _merge((first, node), (whole.as_node(x),))
    if is_op(first, *LAYS_FLAT):
        conv = _maker(first.inputs[0], skipped)
        new = None if conv is None else behind_flatten(conv, node, facts)
        return None if conv is None or new is None else _merge((conv, first, node), new)
    if is_op(node, "Gemm", "MatMul"):
        return _dense(first, node, facts, skipped)
    return None


def _dense(first: ir.Node, node: ir.Node, facts: Facts, skipped: Skipped) -> Merge | None:
    """Products with constant matrices, and the affine that may stand between (a MatMul's bias)."""
    between = source_of(first, facts) if is_op(first, *ARITHMETIC) else None
    parts = [first, node]
    if isinstance(between, Source):
        inner = _maker(first.inputs[between.index], skipped)
        if inner is None:
            return None
        first = inner
        parts.insert(0, first)
    if not is_op(first, "Gemm", "MatMul") or attribute_of(node, "transA", 0):
        return None
    before, after = dense_of(first, facts), dense_of(node, facts)
    if before is not None and isinstance(between, Source):
        before = _with_affine(before, between)
    whole = None if before is None or after is None else _composed(before, after)
    x = first.inputs[0]
    if whole is None or x is None:
        return None
    transposed = attribute_of(first, "transA", 0) == 1
    new = dense_nodes(whole, node, x, facts, transposed=transposed)
    return _merge(tuple(parts), new)


def _with_affine(kernel: Kernel, source: Source) -> Kernel | None:
    """`s (W x + b) + t`, for an affine along the last axis."""
    vectors = source.affine.channels(source.affine.rank - 1, kernel.channels_out)
    if vectors is None:
        return None
    s, t = vectors
    return Kernel(scaled(kernel.weight, s[:, None]), s * kernel.bias + t, 1, (), kernel.macs)


def _composed(first: Kernel, second: Kernel) -> Kernel | None:
    """Both in one, if that is exact and no more work than they are."""
    whole = composed(first, second)
    paid = macs_behind(first, second)
    fits = whole is not None and whole.macs <= paid and whole.is_an_operator
    return whole if fits else None


def _maker(value: ir.Value | None, skipped: Skipped) -> ir.Node | None:
    """The operator that makes the value for this node alone."""
    if value is None or not is_private(value):
        return None
    producer = value.producer()
    assert producer is not None
    return None if skipped.has_node(producer) or producer.outputs[0] is not value else producer


def _merge(parts: tuple[ir.Node, ...], new: tuple[NewNode, ...]) -> Merge:
    *gone, host = parts
    steps = {node: Remove() for node in gone}
    return Merge(Plan({**steps, host: Replace(new)}, direction="merge", rules=(RULE,)), host, parts)
