"""Whether what was measured is kept: a price has to pay, and what is free must not cost."""

from __future__ import annotations

from bnfold.bench.records import BenchResult
from bnfold.fold.account.tried import Trial

MOST_LOST_DB = 3.0
"""So much further from the float model may a rewrite take int8: half a bit."""


def judged(
    rewrite: str, batch_norms: tuple[str, ...], found: BenchResult, *, has_to_pay: bool
) -> Trial:
    """The trial that this measurement is of the rewrite, for these batch norms."""
    if not found.comparisons:
        said = "; ".join(f"{failed.model}: {failed.sentence}" for failed in found.failed)
        candidates = {model.name for model in found.models if model.role == "candidate"}
        return Trial(
            rewrite,
            batch_norms,
            "inconclusive",
            is_kept=not has_to_pay and not any(one.model in candidates for one in found.failed),
            reason=f"it does not run: {said}",
        )
    (row,) = found.comparisons
    lost = 0.0
    if found.int8:
        before, after = found.int8
        lost = before.snr_db - after.snr_db
    is_near = lost <= MOST_LOST_DB
    pays = row.verdict == "faster"
    if not has_to_pay:  # inconclusive, and yet slower all over its interval: that costs
        costs = row.verdict == "slower" or (row.verdict == "inconclusive" and row.ratio.high < 1)
        pays = not costs
    reason = "" if is_near else f"in int8 it is {lost:.1f} dB further from the float model"
    return Trial(
        rewrite=rewrite,
        batch_norms=batch_norms,
        verdict=row.verdict,
        ratio=row.ratio.estimate,
        low=row.ratio.low,
        high=row.ratio.high,
        is_kept=pays and is_near,
        reason=reason or row.reason,
    )
