"""Constant arithmetic that is part of something else than a batch norm."""

from __future__ import annotations

from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import is_op, is_product
from bnfold.fold.plan import Refusal
from bnfold.fold.sources.source import Source, source_of


def belongs_elsewhere(source: Source, facts: Facts) -> Refusal | None:
    """Why constant arithmetic is left alone; None for a batch norm and what may be one.

    An Add behind a MatMul or Einsum is its bias. Behind a division by a run-time value it is the
    end of a normalisation over the sample (LayerNorm and its kin), which runtimes fuse as a whole.
    """
    if source.is_batch_norm:
        return None
    x = source.node.inputs[source.index]
    producer = None if x is None else x.producer()
    if not source.affine.has_scale and is_product(producer):
        return Refusal("bias", "it is the bias of a matrix product")
    walk = producer
    while walk is not None and isinstance(found := source_of(walk, facts), Source):
        before = walk.inputs[found.index]
        walk = None if before is None else before.producer()
    if is_op(
        walk,
        "Div",
        "LayerNormalization",
        "InstanceNormalization",
        "GroupNormalization",
        "SimplifiedLayerNormalization",
    ):
        return Refusal("run-time-statistics", "it ends a normalisation computed at run time")
    if (
        walk is not None
        and is_op(walk, "Mul")
        and any(
            is_op(v.producer(), "Reciprocal", "Pow", "Sqrt") for v in walk.inputs if v is not None
        )
    ):
        return Refusal("run-time-statistics", "it ends a normalisation computed at run time")
    return None
