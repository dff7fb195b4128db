"""What a ledger calls a batch norm, and how it says what stopped one and what would help."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bnfold.fold.account.ledger import Decision
    from bnfold.fold.plan import Refusal

SLOWER = "may be slower here: bench it"


def coded_reason(stops: str, refusal: Refusal) -> str:
    """What stopped it, in words and by its code."""
    return f"{stopped(stops, refusal)} [{refusal.code}]"


def stopped(stops: str, refusal: Refusal) -> str:
    """What stopped it, in words; `stops` names the operators, if any did."""
    return f"{f'stopped by {stops}: ' if stops else ''}{refusal.sentence}"


def advice(decision: Decision) -> Iterable[str]:
    """What there is to do, each thing once."""
    return dict.fromkeys(refusal.advice for refusal in decision.refusals if refusal.advice)


def way_out(decision: Decision) -> str:
    """The prices that would fold it."""
    allowed = " or with ".join(f"--allow {name}" for name in decision.would_fold_with)
    return f"would fold with {allowed}; {SLOWER}"


def subject(decision: Decision) -> str:
    """What a person calls it: its name, or its output's where it has none, and its scope."""
    name = f"'{decision.name or decision.output}'"
    return f"{name} in {decision.scope}" if decision.scope else name
