"""Products that are summed, Einsum and MatMul of run-time values: linear in each operand.

Letters: y[o] = sum_r prod_i x_i, with labels as in `labels`; s, t the affine's scale and shift.
Source: ONNX operators, Einsum-12, MatMul-13.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import onnx_ir as ir

from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import is_op, op_of
from bnfold.fold.facts.softmax import softmax_axes, softmax_behind
from bnfold.fold.moves.carry.labels import Labels, labels_of, laid, varying
from bnfold.fold.numbers.affine import Affine, Array, identity
from bnfold.fold.numbers.exact import Exact, scaled
from bnfold.fold.plan import Answer, Leave, Move, NewNode, Operand, Refusal, Replace, Rule

_SUMMED = Refusal("shift-in-product", "a product lets only a scale pass, not a shift")
_ALONG = Refusal(
    "not-per-channel", "none of its factors has the axis along which the affine varies"
)
_UNREAD = Refusal("einsum", "it takes a diagonal, or the ranks of its operands are not known")


def contraction_after(node: ir.Node, demands: Mapping[int, Affine], facts: Facts) -> Answer:
    """s y = sum_r (s x_i) prod_j x_j for an operand x_i that has the labels along which s varies.

    A shift passes where y is x_i in another order; or where the other operand is a Softmax over
    all that is summed: sum_r p (x + t) = sum_r p x + t, as sum_r p = 1.
    """
    if _has_matrix(node, facts):
        return ()
    labels = labels_of(node, facts)
    if labels is None:
        return _UNREAD
    demand = demands[0]
    moves = list(_into_operands(node, labels, demand, facts))
    return moves or (_SUMMED if demand.has_shift else _ALONG)


def _into_operands(node: ir.Node, labels: Labels, demand: Affine, facts: Facts) -> Iterator[Move]:
    """One move for each operand that can take it, constants first."""
    order = sorted(range(len(node.inputs)), key=lambda i: not facts.is_constant(node.inputs[i]))
    for i in order:
        terms, value = labels.operands[i], node.inputs[i]
        if not varying(demand, labels.output) <= set(terms):
            continue
        if demand.has_shift and not _passes_shift(node, i, labels, facts):
            continue
        part = laid(demand, labels.output, terms)
        exact = facts.exact(value)
        if exact is not None and part.fits(exact.shape) and not demand.has_shift:
            yield _with_operand(node, i, scaled(exact, part.scale))
        elif not facts.is_constant(value) and part.fits(facts.dims(value)):
            yield Leave({i: part})


def contraction_before(node: ir.Node, affines: Mapping[int, Affine], facts: Facts) -> Answer:
    """sum_r (s x_i + t) prod_j x_j = s y + sum_r t prod_j x_j for an s along labels that y keeps.

    Along a summed label s goes into a constant operand that has it. What is left of the shift is a
    constant where the other operand w is one, sum_r t w, or t itself as in `contraction_after`.
    """
    if _has_matrix(node, facts):
        return ()
    labels = labels_of(node, facts)
    if labels is None:
        return _UNREAD
    rank = len(labels.output)
    if len(affines) > 1:
        return _of_several(affines, labels)
    ((i, affine),) = affines.items()
    terms = labels.operands[i]
    shift = np.zeros((1,) * rank)
    if affine.has_shift:
        left = _shift_left(node, i, affine.shift, labels, facts)
        if left is None:
            return _SUMMED
        shift = left
    along = varying(affine, terms)
    if along <= set(labels.output):
        passed = laid(affine.only_scale(), terms, labels.output)
        return [Leave({0: Affine(passed.scale, shift)})]
    for j, value in enumerate(node.inputs):
        exact = None if j == i else facts.exact(value)
        if exact is not None and along <= set(labels.operands[j]):
            part = laid(affine.only_scale(), terms, labels.operands[j])
            if part.fits(exact.shape):
                passes = {0: Affine(np.ones((1,) * rank), shift)}
                return [_with_operand(node, j, scaled(exact, part.scale), passes)]
    return _ALONG


def _of_several(affines: Mapping[int, Affine], labels: Labels) -> Answer:
    """(s x) (u z) = s u (x z)."""
    passed = identity(len(labels.output))
    for i, affine in affines.items():
        if affine.has_shift:
            return _SUMMED
        if not varying(affine, labels.operands[i]) <= set(labels.output):
            return _ALONG
        passed = laid(affine, labels.operands[i], labels.output).after(passed)
    return [Leave({0: passed})]


def _passes_shift(node: ir.Node, i: int, labels: Labels, facts: Facts) -> bool:
    """Whether sum_r t prod_j x_j = t for a t that varies along no summed label of operand i."""
    if len(node.inputs) == 1:
        return not labels.summed
    if len(node.inputs) != 2:
        return False
    other = 1 - i
    softmax, terms = softmax_behind(node, node.inputs[other]), labels.operands[other]
    if softmax is None:
        return False
    axes = softmax_axes(softmax, len(terms), facts)
    if labels.summed != {terms[axis] for axis in axes}:
        return False
    whole = (_is_whole(node, label, labels, facts) for label in labels.summed)
    return is_op(node, "MatMul") or all(whole)


def _is_whole(node: ir.Node, label: str, labels: Labels, facts: Facts) -> bool:
    """Whether both operands have the label's extent: Einsum would repeat one of extent 1."""
    dims = [
        (facts.dims(value) or ())[terms.index(label)]
        for value, terms in zip(node.inputs, labels.operands, strict=True)
    ]
    return dims[0] is not None and dims[0] == dims[1]


def _shift_left(node: ir.Node, i: int, t: Array, labels: Labels, facts: Facts) -> Array | None:
    """`sum_r t prod_j x_j`, laid along y; None where it is no constant."""
    shift = Affine(np.ones((1,) * t.ndim), t)
    if _passes_shift(node, i, labels, facts):
        inside = varying(shift, labels.operands[i]) <= set(labels.output)
        return laid(shift, labels.operands[i], labels.output).shift if inside else None
    exact = facts.exact(node.inputs[1 - i]) if len(node.inputs) == 2 else None
    terms, w = labels.operands[i], labels.operands[1 - i] if len(node.inputs) == 2 else ""
    if exact is None or not labels.summed & set(terms) <= set(w):
        return None
    if any(exact.shape[w.index(label)] == 1 for label in labels.summed & set(terms)):
        return None  # one entry that is broadcast: how many it is added up over is not told
    own = "".join(label for label in terms if label in varying(shift, terms))
    kept = "".join(label for label in labels.output if label in own + w)
    whole = np.einsum(f"{own},{w}->{kept}", laid(shift, terms, own).shift, exact.value())
    extents = Affine(np.ones(np.shape(whole)), np.asarray(whole))
    return laid(extents, kept, labels.output).shift


def _with_operand(
    node: ir.Node, i: int, exact: Exact, passes: Mapping[int, Affine] | None = None
) -> Replace:
    inputs: list[Operand] = list(node.inputs)
    inputs[i] = exact
    return Replace((NewNode(op_of(node), tuple(inputs)),), passes or {})


def _has_matrix(node: ir.Node, facts: Facts) -> bool:
    """Whether it is a MatMul by a constant: then other rules know more."""
    values = node.inputs
    return is_op(node, "MatMul") and any(
        facts.is_constant(v) or facts.dequantized(v) is not None for v in values
    )


RULES = (
    Rule(
        "contraction",
        ("MatMul", "Einsum"),
        backward=contraction_after,
        forward=contraction_before,
    ),
)
