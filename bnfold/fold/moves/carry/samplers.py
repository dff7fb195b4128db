"""Operators that pick, reorder or add up along some axes, and do the same to every channel."""

from __future__ import annotations

from collections.abc import Mapping

import onnx_ir as ir

from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import attribute_of
from bnfold.fold.moves.carry.along import ALONG, alike, in_space
from bnfold.fold.numbers.affine import Affine
from bnfold.fold.plan import Answer, Refusal, Rule

_ZEROS = Refusal("fills-with-zeros", "it fills with zeros, which a shift would not reach")
_SUMMED = Refusal("shift-summed", "it adds the shift up, differently at each position")


def sampled(node: ir.Node, affines: Mapping[int, Affine], _facts: Facts) -> Answer:
    """GridSample: y = sum_k w_k x_k with weights that sum to 1 where nothing is filled in.

    So A(y) = sum_k w_k A(x_k) for an A that is constant in space; zeros take no shift, as their
    weights are missing from the sum.
    """
    filled = attribute_of(node, "padding_mode", "zeros") == "zeros"
    return alike(affines, in_space(affines), shift=_ZEROS if filled else None)


def reordered(node: ir.Node, affines: Mapping[int, Affine], _facts: Facts) -> Answer:
    """ReverseSequence moves numbers along its time axis; an A that is constant there follows."""
    return alike(affines, [attribute_of(node, "time_axis", 0)])


def compressed(node: ir.Node, affines: Mapping[int, Affine], _facts: Facts) -> Answer:
    """Compress keeps some entries along its axis; an A that is constant there follows.

    Without an axis it flattens x first, and the channels are lost sight of.
    """
    axis = attribute_of(node, "axis", None)
    return ALONG if axis is None else alike(affines, [axis])


def gathered(node: ir.Node, affines: Mapping[int, Affine], facts: Facts) -> Answer:
    """GatherElements along axis a: y[.., i, ..] = x[.., indices[.., i, ..], ..].

    Along another axis it reads entry i where it writes entry i, so an A that varies along it
    follows where both have its extent.
    """
    found = alike(affines, [attribute_of(node, "axis", 0)])
    both = (facts.dims(node.inputs[0]), facts.dims(node.outputs[0]))
    return found if all(affines[0].fits(dims) for dims in both) else ALONG


def summed(node: ir.Node, affines: Mapping[int, Affine], facts: Facts) -> Answer:
    """CumSum along a constant axis: s * cumsum(x) = cumsum(s x) for an s that is constant there."""
    axis = facts.constant(node.inputs[1])
    if axis is None or axis.size != 1:
        return Refusal("dynamic-axes", "along which axis it adds up is not known")
    return alike(affines, [int(axis.reshape(()))], shift=_SUMMED)


RULES = (
    Rule("sample", ("GridSample",), backward=sampled, forward=sampled),
    Rule("reorder", ("ReverseSequence",), backward=reordered, forward=reordered),
    Rule("reorder", ("Compress",), backward=compressed, forward=compressed),
    Rule("reorder", ("GatherElements",), backward=gathered, forward=gathered),
    Rule("cumsum", ("CumSum",), backward=summed, forward=summed),
)
