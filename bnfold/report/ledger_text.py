"""A ledger in words: what went, which way and how; what stays, what stopped it, what to do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import TYPE_CHECKING

from bnfold.report.allowance_text import allowance_table
from bnfold.report.blocks import Block, Column, Line, Table, blank
from bnfold.report.ledger_rows import decision_rows, number_rows
from bnfold.report.ledger_words import SLOWER, advice, coded_reason, subject, way_out
from bnfold.report.size_text import size_table
from bnfold.report.words import counted, names

if TYPE_CHECKING:
    from bnfold.fold.account.ledger import Decision, Ledger
    from bnfold.fold.account.tried import Trial

Group = Sequence["Decision"]

MOST_MERGES = 3
MOST_REPAIRS = 3
NO_BATCH_NORMS = (
    "there is no batch norm in this model: it was folded already, or its exporter folded those "
    "behind a convolution, as exporters do that are not told to keep them (bnfold export does)"
)


def ledger_blocks(ledger: Ledger, *, every_row: bool = False) -> list[Block]:
    """The ledger as a reader wants it: totals, then groups; each row by itself if asked for."""
    blocks: list[Block] = [_totals(ledger), *_repaired(ledger.repairs)]
    blocks += [*_proof(ledger), *_paid(ledger.folded), *_subnormal(ledger)]
    blocks += _equalized(ledger.equalized)
    blocks += _tried(ledger.tried)
    blocks += [Line(f"bug in bnfold: {bug}; please report it", "bad") for bug in ledger.bugs]
    if every_row:
        merges = [Line(f"merged: {merge}") for merge in ledger.merges]
        rows = [*decision_rows(ledger.decisions), *number_rows(ledger.folded)]
        more = allowance_table(ledger.allowances)
        return [*blocks, *merges, *rows, *more, *size_table(ledger, every_row=True)]
    blocks += _merges(ledger.merges)
    if ledger.folded:
        title = Line(f"folded: {len(ledger.folded)}", "good")
        blocks += [blank(), title, _folded_table(ledger.folded)]
    if ledger.kept:
        blocks += [blank(), Line(f"kept: {len(ledger.kept)}", "warn")]
        blocks += chain.from_iterable(_kept_group(group) for group in _alike(ledger.kept))
    return [*blocks, *allowance_table(ledger.allowances), *size_table(ledger)]


def _totals(ledger: Ledger) -> Line:
    text = ledger.summary if ledger.batch_norms else NO_BATCH_NORMS
    others = [d for d in ledger.decisions if d.op != "BatchNormalization"]
    if others:
        gone = sum(decision.is_folded for decision in others)
        text += f"; other per-channel scales and shifts: {gone} of {len(others)} folded"
    return Line(text, "title")


def _proof(ledger: Ledger) -> Iterable[Line]:
    if ledger.proofs:
        many = len(ledger.proofs) > 1
        how = "each proven" if many else "proven"
        worst = f"{'worst ' if many else ''}{max(ledger.proofs):.0e}"
        yield Line(f"{counted(len(ledger.proofs), 'rewrite')}, {how} in float64 ({worst})")
    if ledger.opinion is not None:
        yield Line(str(ledger.opinion))


def _repaired(repairs: Sequence[str]) -> Iterable[Line]:
    """Changes of meaning, which come before everything that is exact."""
    for sentence in repairs[:MOST_REPAIRS]:
        yield Line(f"repaired, so that the model computes something else: {sentence}", "warn")
    if len(repairs) > MOST_REPAIRS:
        yield Line(f"and {len(repairs) - MOST_REPAIRS} more like these", "warn")


def _subnormal(ledger: Ledger) -> Iterable[Line]:
    """Numbers that are right, and slow."""
    if not ledger.subnormals:
        return
    what = f"{counted(ledger.subnormals, 'folded weight')} below 1.2e-38"
    if ledger.flushed:
        yield Line(f"{what} set to 0", "warn")
    else:
        yield Line(
            f"{what}: subnormal numbers, with which some processors are many times slower; "
            "--flush-subnormals sets them to 0",
            "warn",
        )


def _paid(folded: Group) -> Iterable[Line]:
    """What was allowed and used, by which fold."""
    by_price: dict[str, list[str]] = {}
    for decision in folded:
        for price in decision.price:
            by_price.setdefault(price, []).append(subject(decision))
    for price, subjects in by_price.items():
        yield Line(f"paid: {price} for {names(subjects)}; {SLOWER}", "warn")


def _equalized(values: Sequence[str]) -> Iterable[Line]:
    """Which values have their channels more alike now."""
    for sentence in values[:MOST_MERGES]:
        yield Line(f"equalized, {sentence}")
    if len(values) > MOST_MERGES:
        yield Line(f"and {len(values) - MOST_MERGES} more like these")


def _tried(trials: Sequence[Trial]) -> list[Block]:
    """What was measured on the target, and what of it is in the model."""
    if not trials:
        return []
    columns = (
        Column("tried here"), Column("for"), Column("verdict"), Column("ratio", right=True),
        Column("interval", right=True), Column(""),
    )  # fmt: skip
    rows = [
        (
            trial.rewrite,
            names(trial.batch_norms),
            Line(trial.verdict, "good" if trial.is_kept else ""),
            "" if trial.ratio is None else f"{trial.ratio:.3f}",
            "" if trial.low is None else f"{trial.low:.3f} to {trial.high:.3f}",
            "kept" if trial.is_kept else f"not kept{f': {trial.reason}' if trial.reason else ''}",
        )
        for trial in trials
    ]
    return [blank(), Table(columns, rows, caption="Rewrites that were measured on the target")]


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
        blocks.append(Line(coded_reason(stops, refusal), indent=6))
    blocks += [Line(f"to do: {what}", indent=6) for what in advice(first)]
    if first.would_fold_with:
        blocks.append(Line(way_out(first), "good", indent=6))
    return blocks


def written_line(path: str, ledger: Ledger, seconds: float | None = None) -> Line:
    """What `bnfold fold` says last."""
    left = counted(ledger.batch_norms_after, "batch norm")
    took = "" if seconds is None else f", in {seconds:.1f} s"
    return Line(f"wrote {path}, with {left} left{took}")
