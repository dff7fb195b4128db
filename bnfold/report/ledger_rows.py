"""A ledger row by row: every batch norm, with its reasons, and the numbers of each fold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from bnfold.report.blocks import Block, Column, Line, Table, blank, words
from bnfold.report.ledger_words import advice, stopped, subject, way_out
from bnfold.report.words import names

if TYPE_CHECKING:
    from bnfold.fold.account.ledger import Decision

Group = Sequence["Decision"]

PROOF = "proof: how far apart before and after are in float64, of the largest value"


def decision_rows(decisions: Group) -> Iterable[Block]:
    """A table with a row for each, without the columns that are empty."""
    columns = (
        Column("what"), Column("operator"), Column("channels", right=True), Column("status"),
        Column("direction"), Column("rules"), Column("reason"), Column("price"),
        Column("proof", right=True), Column("into, or why not"),
    )  # fmt: skip
    rows = [_row(decision) for decision in decisions]
    if not rows:
        return []
    used = [i for i in range(len(columns)) if any(words(row[i]) for row in rows)]
    table = Table(
        [columns[i] for i in used],
        [[row[i] for i in used] for row in rows],
        caption="Every batch norm",
    )
    is_proven = any(decision.proof is not None for decision in decisions)
    return [blank(), table, *([Line(PROOF, "dim")] if is_proven else [])]


def _row(d: Decision) -> tuple[Line | str, ...]:
    return (
        subject(d),
        d.op,
        "" if d.channels is None else str(d.channels),
        Line(d.status, "good" if d.is_folded else "warn"),
        d.direction or "",
        ", ".join(d.rules),
        ", ".join(dict.fromkeys(refusal.code for refusal in d.refusals)),
        ", ".join(d.price),
        "" if d.proof is None else f"{d.proof:.0e}",
        names(d.into, most=len(d.into)) if d.is_folded else _why(d),
    )


def _why(decision: Decision) -> Line:
    reasons = [stopped(refusal.at, refusal) for refusal in decision.refusals]
    reasons += [f"to do: {what}" for what in advice(decision)]
    if decision.would_fold_with:
        reasons.append(way_out(decision))
    return Line("; ".join(reasons), parts=tuple(reasons))


def number_rows(folded: Group) -> Iterable[Block]:
    """A table of what each fold does to numbers, with its legend."""
    columns = (
        Column("folded"), Column("largest |s|", right=True), Column("zero s", right=True),
        Column("negative s", right=True), Column("bits lost", right=True),
        Column("range growth", right=True),
    )  # fmt: skip
    rows = [
        (
            subject(d),
            f"{d.numbers.largest_scale:.3g}",
            str(d.numbers.zero_scales),
            str(d.numbers.negative_scales),
            f"{d.numbers.lost_bits:.1f}",
            f"{d.numbers.range_growth:.3g}",
        )
        for d in folded
        if d.numbers is not None
    ]
    if not rows:
        return []
    legend = [
        Line("s: scale of a channel; 0 carries the shift alone, below 0 the sign flips", "dim"),
        Line("bits lost: to cancellation in beta - mean * s, of the 24 of a float32", "dim"),
        Line("range growth: largest weight after, over before; counts in float16 and int8", "dim"),
    ]
    return [blank(), Table(columns, rows, caption="Numbers of each fold"), *legend]
