"""What a reader takes away: folded or not, the same or not, faster or not, and how sure that is."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from bnfold.report.bench_text import VERDICT_STYLES as SPEED_STYLES
from bnfold.report.blocks import Line
from bnfold.report.verification_text import SAME_FILE
from bnfold.report.verification_text import VERDICT_STYLES as SAMENESS_STYLES
from bnfold.report.words import counted

if TYPE_CHECKING:
    from bnfold.bench.records import BenchResult
    from bnfold.bench.rows import Comparison
    from bnfold.fold.account.ledger import Ledger
    from bnfold.verify.records import Verification

OFTEN = 0.05  # share of interrupted blocks that a reader should know of


def bottom_line(
    ledgers: Collection[Ledger] = (),
    verification: Verification | None = None,
    bench: BenchResult | None = None,
) -> list[Line]:
    """A sentence for each of what there is."""
    lines: list[Line] = []
    if ledgers:
        lines.append(_folded(ledgers))
    if verification is not None:
        doubt = f"; {SAME_FILE}" if verification.is_same_file else ""
        said = f"{verification.verdict}: {verification.reason}{doubt}"
        lines.append(Line(said, SAMENESS_STYLES[verification.verdict]))
    return [*lines, *([] if bench is None else _speed(bench))]


def in_one_sentence(lines: Iterable[Line]) -> Line:
    """The same for a terminal, where it comes last."""
    return Line(f"bottom line: {'; '.join(line.text for line in lines)}", "title")


def _folded(ledgers: Collection[Ledger]) -> Line:
    before = sum(ledger.batch_norms_before for ledger in ledgers)
    left = sum(ledger.batch_norms_after for ledger in ledgers)
    bugs = sum(len(ledger.bugs) for ledger in ledgers)
    if bugs:
        return Line(f"{counted(bugs, 'bug')} of bnfold kept what it would fold", "bad")
    if not before:
        return Line("there was no batch norm to fold")
    folded = [decision for ledger in ledgers for decision in ledger.folded]
    prices = dict.fromkeys(price for decision in folded for price in decision.price)
    paid = f", at the price of {' and '.join(prices)}" if prices else ""
    many = f" in {len(ledgers)} models" if len(ledgers) > 1 else ""
    text = f"{before - left} of {counted(before, 'batch norm')}{many} folded{paid}"
    return Line(text, "warn" if left else "good")


def _speed(bench: BenchResult) -> Iterable[Line]:
    for row in bench.headline:
        pair = f"{row.candidate} against {row.baseline}"
        style = SPEED_STYLES[row.verdict]
        yield Line(f"{pair}: {row.sentence}{_doubt(row)}", style)


def _doubt(row: Comparison) -> str:
    if row.interrupted is None or row.interrupted < OFTEN:
        return ""
    return f", interrupted in {row.interrupted:.0%} of blocks"
