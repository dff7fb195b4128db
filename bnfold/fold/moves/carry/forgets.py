"""Operators that forget a shift: they subtract it again, or a ratio loses it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import onnx_ir as ir

from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import attribute_of, is_op
from bnfold.fold.facts.softmax import softmax_axes
from bnfold.fold.numbers.affine import Affine
from bnfold.fold.plan import Answer, Leave, Refusal, Rule

_RUN_TIME = Refusal(
    "run-time-statistics", "it normalises with statistics that it computes at run time"
)
_SCALE = Refusal("not-linear", "it lets a shift go, and a scale would change what it makes")


def normalised(node: ir.Node, affines: Mapping[int, Affine], _facts: Facts) -> Answer:
    """x - mean(x) is the same for x + t, where t is constant over what the mean is taken of.

    InstanceNormalization takes it in space, LayerNormalization from its axis on; the variance
    forgets t as well. A group of channels has one mean, and a t for each of them stays.
    """
    if set(affines) != {0} or affines[0].has_scale:
        return _RUN_TIME
    if is_op(node, "InstanceNormalization"):
        axes: Iterable[int] = range(2, affines[0].rank)
    elif is_op(node, "LayerNormalization"):
        axes = range(attribute_of(node, "axis", -1) % affines[0].rank, affines[0].rank)
    else:
        axes = range(1, affines[0].rank)
    if any(affines[0].varies_along(axis) for axis in axes):
        return _RUN_TIME
    if len(node.outputs) > 1:  # a tensor that keeps its name keeps its value, whoever reads it
        return Refusal("statistics-read", "it hands on its statistics too, which would change")
    return [Leave({})]


def softened(node: ir.Node, affines: Mapping[int, Affine], facts: Facts) -> Answer:
    """exp(x + t) / sum(exp(x + t)) = exp(x) / sum(exp(x)) for a t constant over the sum."""
    affine = affines[0]
    if affine.has_scale:
        return _SCALE
    axes = softmax_axes(node, affine.rank, facts)
    return _SCALE if any(affine.varies_along(a) for a in axes) else [Leave({})]


RULES = (
    Rule(
        "forgets",
        ("InstanceNormalization", "LayerNormalization", "GroupNormalization"),
        forward=normalised,
    ),
    Rule("forgets", ("Softmax", "LogSoftmax"), forward=softened),
)
