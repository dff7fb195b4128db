"""Outputs whose shape is another one: in the other model, at another level, or in float64."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from bnfold.float64 import EvaluationError
from bnfold.runtime.signature import Array, is_exact_dtype
from bnfold.verify.feeds import Feed
from bnfold.verify.records import Verdict

Run = list[Array]
"""The outputs of a model on one feed."""


def of_shapes(run: Run, reference: Run) -> Run:
    """The reference, which has the shapes of the run.

    Raises:
        EvaluationError: it has others: float64 selects otherwise, or one of the two is wrong.
    """
    for ours, exact in zip(run, reference, strict=True):
        if ours.shape != exact.shape:
            shapes = f"{list(exact.shape)} in float64, {list(ours.shape)} in the runtime"
            raise EvaluationError(f"an output has the shape {shapes}")
    return reference


def is_lost(run: Array, other: Array) -> bool:
    """Whether the other has NaN or Inf where a run has a number."""
    if is_exact_dtype(run.dtype):
        return False
    ours, theirs = (np.isfinite(array.astype(np.float64)) for array in (run, other))
    return bool((ours & ~theirs).any())


def astray(
    names: Sequence[str],
    feeds: Sequence[Feed],
    levels: tuple[str, str],
    first: Sequence[Run],
    runs: Sequence[Run],
) -> str | None:
    """That the original has another shape at the second level than at the first, if so."""
    for feed, before, run in zip(feeds, first, runs, strict=True):
        for name, x, y in zip(names, before, run, strict=False):
            if x.shape != y.shape:
                return (
                    f"the original itself gives output {name!r} the shape {list(y.shape)} at "
                    f"optimisation level {levels[1]!r}, and {list(x.shape)} at {levels[0]!r}, on "
                    f"inputs {feed.name!r}: a stored shape (value_info) that is stale does that; "
                    "drop it, or infer anew"
                )
    return None


def shape_mismatch(
    names: Sequence[str],
    feeds: Sequence[Feed],
    original: Sequence[Run],
    other: Sequence[Run],
    unstable: Collection[tuple[int, int]],
) -> tuple[Verdict, str] | None:
    """The verdict where an output has another shape in the other model.

    `unstable` has the feed and output where a neighbour of the original has another shape too.
    """
    for index, (ours, theirs) in enumerate(zip(original, other, strict=True)):
        for i, (a, b) in enumerate(zip(ours, theirs, strict=True)):
            if a.shape == b.shape:
                continue
            sentence = (
                f"output {names[i]!r} has shape {list(b.shape)} on inputs "
                f"{feeds[index].name!r}, {list(a.shape)} in the original"
            )
            if (index, i) not in unstable:
                return "different", sentence
            return "inconclusive", (
                f"{sentence}; a rounding changes that length in the original too, and the "
                "models select in different ways, so that nothing can be matched"
            )
    return None
