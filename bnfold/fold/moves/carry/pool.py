"""Pools and reductions: a maximum keeps order, a mean keeps sums."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import onnx_ir as ir

from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import attribute_of, input_of, is_op, is_read
from bnfold.fold.facts.window import is_larger_than_input, window_of
from bnfold.fold.moves.carry.along import ALONG, alike, in_space
from bnfold.fold.numbers.affine import Affine
from bnfold.fold.plan import Answer, Leave, NewNode, Refusal, Replace, Rule

_SIGN = Refusal(
    "negative-scale", "a negative scale would turn its maximum into a minimum (or the reverse)"
)
_COUNTED = Refusal("padding-counted", "its mean counts padded zeros, which a shift would not reach")
_EMPTY = Refusal("empty-window", "one of its windows may hold padding alone")
_NOTHING = Refusal("empty-window", "an axis that it takes a mean over has no extent")


def pool_after(node: ir.Node, demands: Mapping[int, Affine], facts: Facts) -> Answer:
    """s * max(x) + t = max(s x + t) for s >= 0;  s * mean(x) + t = mean(s x + t).

    A mean that counts padding (count_include_pad = 1) has weights that do not sum to 1 at the
    border, where a shift would have to be smaller. Of a window that holds no element no maximum and
    no mean is taken: what comes out knows of no shift.
    """
    return _pool(node, demands, facts)


def pool_before(node: ir.Node, affines: Mapping[int, Affine], facts: Facts) -> Answer:
    """The mirror of `pool_after`."""
    return _pool(node, affines, facts)


def _pool(node: ir.Node, affines: Mapping[int, Affine], facts: Facts) -> Answer:
    found = alike(affines, in_space(affines))
    if isinstance(found, Refusal):
        return found
    affine = affines[0]
    if any(map(is_read, node.outputs[1:])):
        return Refusal("indices-read", "the positions of its maxima are read too")
    maximum = is_op(node, "MaxPool", "GlobalMaxPool")
    if maximum and not affine.is_nonnegative:
        return _SIGN
    if affine.has_shift and not windows_are_full(node, facts):
        return _EMPTY
    if is_op(node, "AveragePool") and affine.has_shift and _counts_padding(node, facts):
        return _COUNTED
    return found


def _counts_padding(node: ir.Node, facts: Facts) -> bool:
    """Whether a border window may divide by more than the elements it holds."""
    kernel = tuple(attribute_of(node, "kernel_shape", ()))
    ceil = attribute_of(node, "ceil_mode", 0) == 1
    opset = node.version or facts.opset()
    if opset >= 7 and attribute_of(node, "count_include_pad", 0) == 0:
        return False
    window = window_of(node, kernel, facts)
    return ceil or window.is_padded or is_larger_than_input(node, window, facts)


def windows_are_full(node: ir.Node, facts: Facts) -> bool:
    """Whether every window holds an element of x, whatever the size of x.

    A window begins less than its kernel before x where pads are smaller than the kernel. With
    ceil_mode the last one may begin behind x, unless strides are no longer than the kernel and
    nothing is padded at the end. A dilated window can step over x.
    """
    kernel = tuple(attribute_of(node, "kernel_shape", ()))
    window = window_of(node, kernel, facts)
    if not window.is_padded:
        ceil = attribute_of(node, "ceil_mode", 0) == 1
        return not ceil or all(s <= k for s, k in zip(window.strides, kernel, strict=True))
    if any(d > 1 for d in window.dilations):
        return False
    if window.begins is None or window.ends is None:
        return True  # SAME: the output has ceil(size / stride) windows, each begins inside x
    if attribute_of(node, "ceil_mode", 0) == 1:
        return _begins_inside(node, window.begins, window.ends, kernel, window.strides, facts)
    pads = zip(window.begins, window.ends, kernel, strict=True)
    return all(b < k and e < k for b, e, k in pads)


def _begins_inside(
    node: ir.Node,
    begins: tuple[int, ...],
    ends: tuple[int, ...],
    kernel: tuple[int, ...],
    strides: tuple[int, ...],
    facts: Facts,
) -> bool:
    """With ceil_mode: whether the last window begins before the end of x, for the static size."""
    axes = zip(begins, ends, kernel, strides, strict=True)
    for axis, (begin, end, k, stride) in enumerate(axes, start=2):
        size = facts.dim(node.inputs[0], axis)
        if begin >= k:
            return False
        if size is None:
            if end > 0 or stride > k:
                return False
            continue
        last = -(-(size + begin + end - k) // stride) * stride - begin
        if last >= size:
            return False
    return True


def reduce_after(node: ir.Node, demands: Mapping[int, Affine], facts: Facts) -> Answer:
    """s mean(x) + t = mean(s x + t), s max(x) + t = max(s x + t) for s >= 0, s sum(x) = sum(s x).

    Where all s are negative, s max(x) + t = min(s x + t), and the reverse.

    The reduced axes come back with extent 1 where keepdims = 0 took them away. What a mean of
    nothing is, ONNX leaves open (NaN, or 0), and so an extent of 0 that is known is all that stops
    a shift; a sum of nothing is 0, a maximum -infinity, before and after.
    """
    rank = facts.rank(node.inputs[0])
    axes = _axes(node, rank, facts)
    if rank is None or axes is None:
        return Refusal("dynamic-axes", "which axes it reduces is not known")
    demand = demands[0]
    if demand.has_shift and _is_mean_of_nothing(node, axes, facts):
        return _NOTHING
    if attribute_of(node, "keepdims", 1) == 0:
        demand = Affine(np.expand_dims(demand.scale, axes), np.expand_dims(demand.shift, axes))
    return _reduce(node, demand, demand, 1 / _count(node, axes, facts))


def reduce_before(node: ir.Node, affines: Mapping[int, Affine], facts: Facts) -> Answer:
    """The mirror of `reduce_after`, for an affine that is constant along the reduced axes."""
    affine = affines[0] if set(affines) == {0} else None
    axes = None if affine is None else _axes(node, affine.rank, facts)
    if affine is None or axes is None:
        return Refusal("dynamic-axes", "which axes it reduces is not known")
    if any(affine.varies_along(axis) for axis in axes):
        return ALONG
    if affine.has_shift and _is_mean_of_nothing(node, axes, facts):
        return _NOTHING
    passed = affine
    if attribute_of(node, "keepdims", 1) == 0:
        passed = Affine(np.squeeze(affine.scale, axis=axes), np.squeeze(affine.shift, axis=axes))
    return _reduce(node, affine, passed, _count(node, axes, facts))


def _reduce(node: ir.Node, affine: Affine, passed: Affine, factor: float) -> Answer:
    """A sum over n elements adds n shifts up: `factor` is n, or 1 / n on the way back."""
    if is_op(node, "ReduceMax", "ReduceMin") and not affine.is_nonnegative:
        if np.any(affine.scale > 0) or np.any(np.isnan(affine.scale)):
            return _SIGN
        other = "ReduceMin" if is_op(node, "ReduceMax") else "ReduceMax"
        return [Replace((NewNode(other, tuple(node.inputs)),), {0: passed})]
    if is_op(node, "ReduceSum") and affine.has_shift:
        if np.isnan(factor):
            return Refusal(
                "shift-summed", "it adds the shift up over an unknown number of elements"
            )
        passed = Affine(passed.scale, passed.shift * factor)
    return [Leave({0: passed})]


def _is_mean_of_nothing(node: ir.Node, axes: tuple[int, ...], facts: Facts) -> bool:
    return is_op(node, "ReduceMean") and any(facts.dim(node.inputs[0], a) == 0 for a in axes)


def _count(node: ir.Node, axes: tuple[int, ...], facts: Facts) -> float:
    """How many elements become one; NaN where that is not known, or none are."""
    extents = [facts.dim(node.inputs[0], axis) for axis in axes]
    return math.prod(extents) if all(extents) else np.nan  # type: ignore[arg-type]


def _axes(node: ir.Node, rank: int | None, facts: Facts) -> tuple[int, ...] | None:
    if rank is None:
        return None
    if "axes" in node.attributes:
        return tuple(int(a) % rank for a in attribute_of(node, "axes", ()))
    value = input_of(node, 1)
    if value is not None:
        constant = facts.constant(value)
        if constant is None:
            return None
        if constant.size:
            return tuple(int(a) % rank for a in constant.reshape(-1))
    if attribute_of(node, "noop_with_empty_axes", 0) == 1:
        return None  # it reduces nothing: an Identity, which nobody writes so
    return tuple(range(rank))


RULES = (
    Rule(
        "pool",
        ("MaxPool", "AveragePool", "GlobalMaxPool", "GlobalAveragePool"),
        backward=pool_after,
        forward=pool_before,
    ),
    Rule(
        "reduce",
        ("ReduceMean", "ReduceMax", "ReduceMin", "ReduceSum"),
        backward=reduce_after,
        forward=reduce_before,
    ),
)
