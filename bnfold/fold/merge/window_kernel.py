"""Conv and AveragePool as convolutions with constants."""

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


def kernel_of(node: ir.Node, facts: Facts) -> Kernel | None:
    """The convolution that a Conv or an AveragePool is; None where it is not known to be one."""
    if is_op(node, "Conv"):
        return _of_conv(node, facts)
    return _of_average_pool(node, facts) if is_op(node, "AveragePool") else None


def _of_conv(node: ir.Node, facts: Facts) -> Kernel | None:
    weight = facts.exact(node.inputs[1])
    if weight is None or len(weight.shape) < 3:
        return None
    bias = bias_of(node, 2, weight.shape[0], facts)
    axes = _axes(node, weight.shape[2:], facts)
    if isinstance(bias, Refusal) or axes is None:
        return None
    return Kernel(weight, bias, attribute_of(node, "group", 1), axes, macs_of(weight))


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
