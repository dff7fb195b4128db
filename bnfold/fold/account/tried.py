"""One rewrite with a price that was measured on a target, and whether it was kept."""

from __future__ import annotations

from dataclasses import dataclass

from bnfold.record import Row


@dataclass(frozen=True)
class Trial(Row):
    """A rewrite against the model without it.

    Attributes:
        rewrite: as `allow` names it.
        batch_norms: those that it folds.
        verdict: "faster", "slower", "no difference" or "inconclusive"; "not tried" where the time
            was over.
        ratio, low, high: time without over time with it, and its interval; None if not tried.
        is_kept: whether it is in the model: only what is faster is.
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
