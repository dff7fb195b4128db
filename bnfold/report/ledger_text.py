"""A ledger in words: what went, which way and how; what stays, what stopped it, what to do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import TYPE_CHECKING

from bnfold.report.blocks import Block, Column, Line, Table, blank
from bnfold.report.words import counted, names

if TYPE_CHECKING:
    from bnfold.fold.account.ledger import Decision, Ledger
    from bnfold.fold.plan import Refusal

Group = Sequence["Decision"]

MOST_MERGES = 3


def ledger_blocks(ledger: Ledger, *, every_row: bool = False) -> list[Block]:
    """The ledger as a reader wants it: totals, then groups; each row by itself if asked for."""
    blocks: list[Block] = [_totals(ledger)]
    if ledger.opinion is not None:
        blocks.append(Line(str(ledger.opinion)))
    blocks += [Line(f"bug in bnfold: {bug}; please report it", "bad") for bug in ledger.bugs]
    if every_row:
        merges = [Line(f"merged: {merge}") for merge in ledger.merges]
        return [*blocks, *merges, *_rows(ledger.decisions), *_numbers(ledger.folded)]
    blocks += _merges(ledger.merges)
    if ledger.folded:
        title = Line(f"folded: {len(ledger.folded)}", "good")
        blocks += [blank(), title, _folded_table(ledger.folded)]
    if ledger.kept:
        blocks += [blank(), Line(f"kept: {len(ledger.kept)}", "warn")]
        blocks += chain.from_iterable(_kept_group(group) for group in _alike(ledger.kept))
    return blocks


def _totals(ledger: Ledger) -> Line:
    text = ledger.summary
    others = [d for d in ledger.decisions if d.op != "BatchNormalization"]
    if others:
        gone = sum(decision.is_folded for decision in others)
        text += f"; other per-channel scales and shifts: {gone} of {len(others)} folded"
    return Line(text, "title")


def _merges(merges: Sequence[str]) -> list[Block]:
    if not merges:
        return []
    blocks: list[Block] = [blank(), Line(f"merged: {len(merges)}", "good")]
    blocks += [Line(merge, indent=2) for merge in merges[:MOST_MERGES]]
    if len(merges) > MOST_MERGES:
        blocks.append(Line(f"and {len(merges) - MOST_MERGES} more; --all shows them", indent=2))
    return blocks


def _folded_table(folded: Group) -> Table:
    by_way: dict[tuple[str, str], list[Decision]] = {}
    for decision in folded:
        way = (decision.direction or "", ", ".join(decision.rules))
        by_way.setdefault(way, []).append(decision)
    columns = (Column("count", right=True), Column("direction"), Column("rules"), Column("into"))
    rows = [
        (str(len(group)), *way, names(dict.fromkeys(chain(*(d.into for d in group)))))
        for way, group in by_way.items()
    ]
    return Table(columns, rows, indent=2)


def _alike(kept: Group) -> list[list[Decision]]:
    """The kept ones, those with the same reasons and the same way out together."""
    groups: dict[tuple[object, ...], list[Decision]] = {}
    for decision in kept:
        codes = tuple(refusal.code for refusal in decision.refusals)
        groups.setdefault((codes, decision.would_fold_with), []).append(decision)
    return list(groups.values())


def _kept_group(group: Group) -> list[Block]:
    first = group[0]
    what = names(subject(decision) for decision in group)
    blocks: list[Block] = [Line(f"{len(group)} x  {what}", indent=2)]
    for place, refusal in enumerate(first.refusals):
        stops = names(dict.fromkeys(d.refusals[place].at for d in group if d.refusals[place].at))
        blocks.append(Line(_reason(stops, refusal), indent=6))
    for advice in dict.fromkeys(r.advice for r in first.refusals if r.advice):
        blocks.append(Line(f"to do: {advice}", indent=6))
    if first.would_fold_with:
        blocks.append(Line(f"would fold with {_allow(first)}", "good", indent=6))
    return blocks


def _reason(stops: str, refusal: Refusal) -> str:
    return f"{f'stopped by {stops}: ' if stops else ''}{refusal.sentence} [{refusal.code}]"


def _allow(decision: Decision) -> str:
    return " or with ".join(f"--allow {name}" for name in decision.would_fold_with)


def subject(decision: Decision) -> str:
    """What a person calls it: its name, or its output's where it has none, and its scope."""
    name = f"'{decision.name or decision.output}'"
    return f"{name} in {decision.scope}" if decision.scope else name


def _rows(decisions: Group) -> Iterable[Block]:
    columns = (
        Column("what"), Column("operator"), Column("channels", right=True),
        Column("status"), Column("direction"), Column("rules"), Column("into, or why not"),
    )  # fmt: skip
    rows = [
        (
            subject(d),
            d.op,
            "" if d.channels is None else str(d.channels),
            Line(d.status, "good" if d.is_folded else "warn"),
            d.direction or "",
            ", ".join(d.rules),
            names(d.into, most=len(d.into)) if d.is_folded else _why(d),
        )
        for d in decisions
    ]
    return [blank(), Table(columns, rows)] if rows else []


def _why(decision: Decision) -> str:
    reasons = [_reason(refusal.at, refusal) for refusal in decision.refusals]
    if decision.would_fold_with:
        reasons.append(f"would fold with {_allow(decision)}")
    return "; ".join(reasons)


def _numbers(folded: Group) -> Iterable[Block]:
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
    return [blank(), Table(columns, rows)] if rows else []


def written_line(path: str, ledger: Ledger) -> Line:
    """What `bnfold fold` says last."""
    left = counted(ledger.batch_norms_after, "batch norm")
    return Line(f"wrote {path}, with {left} left")
