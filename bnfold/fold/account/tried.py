"""Rewrites that were measured on a target, and whether they were kept."""

from __future__ import annotations

from dataclasses import dataclass

from bnfold.record import Row

FREE = "free"
"""What `Trial.rewrite` says of the rewrites that have no price."""


@dataclass(frozen=True)
class Trial(Row):
    """Rewrites against the model without them.

    Attributes:
        rewrite: as `allow` names it; "free" for those that have no price.
        batch_norms: those that it folds, other scales and shifts included.
        verdict: "faster", "slower", "no difference" or "inconclusive"; "not tried" where the time
            was over.
        ratio, low, high: time without over time with it, and its interval; None if not tried.
        is_kept: whether it is in the model: what has a price if it is faster, what is free unless
            it is slower as a whole.
        reason: why it is not kept, where the verdict alone does not say it.
    """

    rewrite: str
    batch_norms: tuple[str, ...]
    verdict: str
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    is_kept: bool = False
    reason: str = ""
