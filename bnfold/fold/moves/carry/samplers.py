"""Operators that pick, reorder or add up along some axes, and do the same to every channel."""

from __future__ import annotations

from collections.abc import Mapping

import onnx_ir as ir

from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import attribute_of
from bnfold.fold.numbers.affine import Affine
from bnfold.fold.plan import Answer, Leave, Refusal, Rule

_ALONG = Refusal("not-per-channel", "it works along an axis along which the affine varies")
_ARRIVES = Refusal("dynamic-operand", "the affine arrives at what tells it where to look")
_ZEROS = Refusal("fills-with-zeros", "it fills with zeros, which a shift would not reach")
_SUMMED = Refusal("shift-summed", "it adds the shift up, differently at each position")


def sampled(node: ir.Node, affines: Mapping[int, Affine], _facts: Facts) -> Answer:
    """GridSample: y = sum_k w_k x_k with weights that sum to 1 where nothing is filled in.

    So A(y) = sum_k w_k A(x_k) for an A that is constant in space; zeros take no shift, as their
    weights are missing from the sum.
    """
    if set(affines) != {0}:
        return _ARRIVES
    affine = affines[0]
    if any(affine.varies_along(axis) for axis in range(2, affine.rank)):
        return _ALONG
    if affine.has_shift and attribute_of(node, "padding_mode", "zeros") == "zeros":
        return _ZEROS
    return [Leave({0: affine})]


def unpooled(node: ir.Node, affines: Mapping[int, Affine], _facts: Facts) -> Answer:
    """MaxUnpool: each x goes to its place, zeros elsewhere; s y = unpool(s x) in space."""
    if set(affines) != {0}:
        return _ARRIVES
    affine = affines[0]
    if any(affine.varies_along(axis) for axis in range(2, affine.rank)):
        return _ALONG
    return _ZEROS if affine.has_shift else [Leave({0: affine})]


def reordered(node: ir.Node, affines: Mapping[int, Affine], _facts: Facts) -> Answer:
    """ReverseSequence moves numbers along its time axis; an A that is constant there follows."""
    if set(affines) != {0}:
        return _ARRIVES
    affine = affines[0]
    axis = attribute_of(node, "time_axis", 0) % affine.rank
    return _ALONG if affine.varies_along(axis) else [Leave({0: affine})]


def compressed(node: ir.Node, affines: Mapping[int, Affine], _facts: Facts) -> Answer:
    """Compress keeps some entries along its axis; an A that is constant there follows.

    Without an axis it flattens x first, and the channels are lost sight of.
    """
    if set(affines) != {0}:
        return _ARRIVES
    axis = attribute_of(node, "axis", None)
    affine = affines[0]
    if axis is None or affine.varies_along(axis % affine.rank):
        return _ALONG
    return [Leave({0: affine})]


def gathered(node: ir.Node, affines: Mapping[int, Affine], facts: Facts) -> Answer:
    """GatherElements along axis a: y[.., i, ..] = x[.., indices[.., i, ..], ..].

    Along another axis it reads entry i where it writes entry i, so an A that varies along it
    follows where both have its extent.
    """
    if set(affines) != {0}:
        return _ARRIVES
    affine = affines[0]
    axis = attribute_of(node, "axis", 0) % affine.rank
    if affine.varies_along(axis):
        return _ALONG
    both = (facts.dims(node.inputs[0]), facts.dims(node.outputs[0]))
    return [Leave({0: affine})] if all(affine.fits(dims) for dims in both) else _ALONG


def summed(node: ir.Node, affines: Mapping[int, Affine], facts: Facts) -> Answer:
    """CumSum along a constant axis: s * cumsum(x) = cumsum(s x) for an s that is constant there."""
    if set(affines) != {0}:
        return _ARRIVES
    affine = affines[0]
    axis = facts.constant(node.inputs[1])
    if axis is None or axis.size != 1:
        return Refusal("dynamic-axes", "along which axis it adds up is not known")
    if affine.varies_along(int(axis.reshape(())) % affine.rank):
        return _ALONG
    return _SUMMED if affine.has_shift else [Leave({0: affine})]


RULES = (
    Rule("sample", ("GridSample",), backward=sampled, forward=sampled),
    Rule("sample", ("MaxUnpool",), backward=unpooled, forward=unpooled),
    Rule("reorder", ("ReverseSequence",), backward=reordered, forward=reordered),
    Rule("reorder", ("Compress",), backward=compressed, forward=compressed),
    Rule("reorder", ("GatherElements",), backward=gathered, forward=gathered),
    Rule("cumsum", ("CumSum",), backward=summed, forward=summed),
)
