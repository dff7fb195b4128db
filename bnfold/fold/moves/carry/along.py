"""What is common to operators that work along some axes and treat the others alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bnfold.fold.numbers.affine import Affine
from bnfold.fold.plan import Answer, Leave, Refusal

ALONG = Refusal("not-per-channel", "it works along an axis along which the affine varies")
ARRIVES = Refusal("dynamic-operand", "the affine arrives at what tells it where to look")
DYNAMIC_PART = Refusal("dynamic-indices", "which part it takes is known only at run time")
UNKNOWN_EXTENT = Refusal("shape-unknown", "the extent of the axis that it works on is not known")
UNKNOWN_SHAPE = Refusal("shape-unknown", "the shape of its input or output is not known")


def alike(
    affines: Mapping[int, Affine], axes: Iterable[int], *, shift: Refusal | None = None
) -> Answer:
    """The affine passes as it is where it is constant along the axes.

    Args:
        affines: what is asked of the operator; its data is input 0, and output 0.
        axes: that it works along; negative ones count from the end.
        shift: why a shift does not pass; None where it does.
    """
    if set(affines) != {0}:
        return ARRIVES
    affine = affines[0]
    if any(affine.varies_along(axis % affine.rank) for axis in axes):
        return ALONG
    return shift if shift is not None and affine.has_shift else [Leave({0: affine})]


def in_space(affines: Mapping[int, Affine]) -> range:
    """The axes behind the batch and the channels."""
    return range(2, next(iter(affines.values())).rank)
