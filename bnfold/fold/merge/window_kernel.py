"""Conv, ConvTranspose and AveragePool as convolutions with constants."""

from __future__ import annotations

import math

import numpy as np
import onnx_ir as ir

from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import attribute_of, is_op
from bnfold.fold.facts.window import is_larger_than_input, window_of
from bnfold.fold.merge.kernel import Axis, Kernel, macs_of
from bnfold.fold.moves.operands import bias_of
from bnfold.fold.numbers.exact import of_array
from bnfold.fold.plan import Refusal

CONVOLUTIONS = ("Conv", "ConvTranspose")


def kernel_of(node: ir.Node, facts: Facts) -> Kernel | None:
    """The convolution that one of these operators is; None where it is not known to be one."""
    if is_op(node, *CONVOLUTIONS):
        return _of_convolution(node, facts)
    return _of_average_pool(node, facts) if is_op(node, "AveragePool") else None


def _of_convolution(node: ir.Node, facts: Facts) -> Kernel | None:
    weight, group = facts.exact(node.inputs[1]), attribute_of(node, "group", 1)
    if weight is None or len(weight.shape) < 3:
        return None
    is_transposed = is_op(node, "ConvTranspose")
    channels = weight.shape[1] * group if is_transposed else weight.shape[0]
    bias = bias_of(node, 2, channels, facts)
    find = _transposed_axes if is_transposed else _axes
    axes = find(node, weight.shape[2:], facts)
    if isinstance(bias, Refusal) or axes is None:
        return None
    if group < 1 or weight.shape[0] % group or bias.size != channels:
        return None  # it runs nowhere
    return Kernel(weight, bias, group, axes, macs_of(weight), is_transposed)


def _of_average_pool(node: ir.Node, facts: Facts) -> Kernel | None:
    """The mean as a depthwise kernel of `1 / taps`, if every window divides by all its taps."""
    x = node.inputs[0]
    channels = facts.dim(x, 1)
    size = tuple(attribute_of(node, "kernel_shape", ()))
    dtype = None if x is None else facts.dtype(x)
    axes = _axes(node, size, facts)
    if channels is None or dtype is None or axes is None or attribute_of(node, "ceil_mode", 0):
        return None
    counts_padding = facts.opset() >= 7 and attribute_of(node, "count_include_pad", 0) == 1
    if any(axis.is_padded for axis in axes) and not counts_padding:
        return None
    mean = np.full((channels, 1, *size), 1 / math.prod(size))
    return Kernel(of_array(mean, dtype), np.zeros(channels), channels, axes, macs=0)


def _axes(node: ir.Node, size: tuple[int, ...], facts: Facts) -> tuple[Axis, ...] | None:
    """None where padding follows from an unknown shape, or crops."""
    window = window_of(node, size, facts)
    if window.begins is None or window.ends is None:
        return None
    if any(p < 0 for p in (*window.begins, *window.ends)):
        return None
    if is_larger_than_input(node, window, facts):
        return None
    columns = (window.kernel, window.strides, window.dilations, window.begins, window.ends)
    return tuple(Axis(*column) for column in zip(*columns, strict=True))


def _transposed_axes(node: ir.Node, size: tuple[int, ...], facts: Facts) -> tuple[Axis, ...] | None:
    """None where the sizes decide on the borders, or runtimes do not agree on them."""
    if "output_shape" in node.attributes:
        return None
    window, rank = window_of(node, size, facts), len(size)
    extra = attribute_of(node, "output_padding", None) or (0,) * rank
    is_same = attribute_of(node, "auto_pad", "NOTSET") in ("SAME_UPPER", "SAME_LOWER")
    begins, ends = window.begins, window.ends
    if is_same:
        rests = [k - stride for k, stride in zip(size, window.strides, strict=True)]
        # of an odd rest one side has more: which one, runtimes do not agree on
        if any(rest < 0 or rest % 2 for rest in rests) or {*window.dilations} != {1} or any(extra):
            return None
        begins = ends = tuple(rest // 2 for rest in rests)
    assert begins is not None and ends is not None, "they are stated, or half of the rest"
    if any(p < 0 for p in (*begins, *ends, *extra)):
        return None
    if any(more >= stride for more, stride in zip(extra, window.strides, strict=True)):
        return None
    ends = tuple(end - more for end, more in zip(ends, extra, strict=True))
    columns = (window.kernel, window.strides, window.dilations, begins, ends)
    return tuple(Axis(*column) for column in zip(*columns, strict=True))
