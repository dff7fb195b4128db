"""A product of two run-time matrices, as in attention: linear in each of them."""

from __future__ import annotations

from collections.abc import Mapping

import onnx_ir as ir

from bnfold.fold.facts.graph import Facts
from bnfold.fold.numbers.affine import Affine
from bnfold.fold.plan import Answer, Leave, Refusal, Rule

_SUMMED = Refusal("shift-in-product", "a product lets only a scale pass, not a shift")
_ALONG = Refusal(
    "not-per-channel", "neither of its factors has the axis along which the affine varies"
)


def bilinear_after(node: ir.Node, demands: Mapping[int, Affine], facts: Facts) -> Answer:
    """P @ V by run-time P and V: a scale per column goes into V, a scale per row into P.

    (P @ V)[i, j] s[j] = P @ (V s)[i, j] and s[i] (P @ V)[i, j] = ((s P) @ V)[i, j]
    """
    if _has_matrix(node, facts):
        return ()
    demand = demands[0]
    if demand.has_shift:
        return _SUMMED
    for index, off in ((1, 2), (0, 1)):
        rank = facts.rank(node.inputs[index])
        if rank is None or rank < 2 or demand.rank < 2:
            continue
        if demand.varies_along(demand.rank - off):
            continue  # it varies along the axis that this factor does not have
        lead = demand.rank - rank
        if lead < 0 or any(demand.varies_along(axis) for axis in range(lead)):
            continue
        part = Affine(*(a.reshape(a.shape[lead:]) for a in (demand.scale, demand.shift)))
        if part.fits(facts.dims(node.inputs[index])):
            return [Leave({index: part})]
    return _ALONG


def bilinear_before(node: ir.Node, gauges: Mapping[int, Affine], facts: Facts) -> Answer:
    """P @ (V s) = (P @ V) s per column of V, (s P) @ V = s (P @ V) per row of P."""
    if _has_matrix(node, facts):
        return ()
    rank = facts.rank(node.outputs[0])
    passed = None
    for index, gauge in gauges.items():
        summed_axis = gauge.rank - (2 if index == 1 else 1)
        if gauge.has_shift:
            return _SUMMED
        if rank is None or gauge.rank < 2 or gauge.varies_along(summed_axis):
            return _ALONG
        lifted = gauge.aligned(rank)
        passed = lifted if passed is None else lifted.after(passed)
    return _ALONG if passed is None else [Leave({0: passed})]


def _has_matrix(node: ir.Node, facts: Facts) -> bool:
    """Whether one factor is constant: then other rules know more."""
    values = node.inputs
    return any(facts.is_constant(v) or facts.dequantized(v) is not None for v in values)


RULES = (Rule("bilinear", ("MatMul",), backward=bilinear_after, forward=bilinear_before),)
