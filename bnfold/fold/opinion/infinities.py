"""Numbers that a fold made infinite, and infinities that it made numbers: is that rounding?

It is where the original's neighbours lose them as well; where what it computes comes near to the
largest number of its type, or to 1 / 0, so that rounding decides; and where it overflowed itself,
and the folded model does not. It is not where float64, in which nothing overflows, sees it too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import onnx_ir as ir

from bnfold.errors import BnfoldError
from bnfold.fold.facts.graph import Facts
from bnfold.fold.numbers.to_dtype import limits
from bnfold.fold.opinion.exactly import neighbours_of, outputs_of
from bnfold.fold.opinion.feeds import Feed
from bnfold.fold.opinion.original_model import UNITS
from bnfold.fold.opinion.outputs import Mask, Outputs, apart_in_numbers, scale_of, turned
from bnfold.runtime.signature import Array

Places = list[list[Mask]]
"""Of each feed and output, which entries."""

_NEAR = 0.9  # of the largest number of a type: float16 rounds by a thousandth, and a sum more often
_SHAKEN = 1 / 32  # of its largest value an output may move by rounding: it divides by little


def are_rounding(
    original: ir.Model,
    folded: ir.Model,
    feeds: Sequence[Feed],
    olds: Sequence[Outputs],
    news: Sequence[Outputs],
    neighbours: Iterable[Sequence[Outputs]],
) -> bool:
    """Whether rounding may be all that turned numbers into infinities, or the reverse.

    Args:
        original: as it was given.
        folded: as it would be written.
        feeds: that both take.
        olds: what the runtime made of them with the original.
        news: what it made of them with the folded model.
        neighbours: what it makes of them with the original's neighbours.
    """
    left, shaken = _turned(olds, news), False
    for outputs in neighbours:
        left = _without(left, _turned(olds, outputs))
        pairs = zip(olds, outputs, strict=True)
        shaken |= any(apart_in_numbers(old, moved) > _SHAKEN for old, moved in pairs)
    if not _any(left):
        return True
    numbers = [[np.isfinite(a.astype(np.float64)) for a in map(np.asarray, old)] for old in olds]
    try:
        exact, near = _in_float64(original, feeds)
        others = outputs_of(folded, feeds)
        wrong = _both(left, _turned(exact, others))
        for outputs in neighbours_of(folded, feeds) if _any(wrong) else ():
            wrong = _without(wrong, _turned(others, outputs))
    except BnfoldError:  # nobody is accused of what became of an infinity
        return not _any(_both(left, numbers))
    return not _any(wrong) and (near or shaken or not _any(_both(left, numbers)))


def _in_float64(model: ir.Model, feeds: Sequence[Feed]) -> tuple[list[Outputs], bool]:
    """The outputs, and whether any value comes near to the largest number of its type.

    Raises:
        BnfoldError: the reference does not run it.
    """
    facts, near = Facts(model), False
    values = {v.name: v for node in model.graph for v in node.outputs if v.name}
    ends = {name: _limit(facts.dtype(value)) for name, value in values.items()}

    def observe(name: str, array: Array) -> None:
        nonlocal near
        near |= array.dtype.kind == "f" and scale_of(array) > _NEAR * ends.get(name, np.inf)

    exact = outputs_of(model, feeds, observe)
    return exact, near


def _limit(dtype: ir.DataType | None) -> float:
    """The largest number of the type; where that is not known, the least of all that it may be."""
    known = ir.DataType.FLOAT16 if dtype is None else dtype
    return float(limits(known).max) if known in UNITS else np.inf


def _turned(some: Sequence[Outputs], others: Sequence[Outputs]) -> Places:
    return [
        [turned(np.asarray(a), np.asarray(b)) for a, b in zip(one, other, strict=True)]
        for one, other in zip(some, others, strict=True)
    ]


def _both(some: Places, others: Places) -> Places:
    """In both; of outputs of another shape, which places are the same is not known."""
    return [
        [a & b if a.shape == b.shape else a & False for a, b in zip(one, other, strict=True)]
        for one, other in zip(some, others, strict=True)
    ]


def _without(some: Places, others: Places) -> Places:
    return _both(some, [[~mask for mask in masks] for masks in others])


def _any(places: Places) -> bool:
    return any(mask.any() for masks in places for mask in masks)
