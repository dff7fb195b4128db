"""Several ledgers, one after another, and a line for each at the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bnfold.report.blocks import Block, Column, Line, Table, blank
from bnfold.report.ledger_text import ledger_blocks

if TYPE_CHECKING:
    from bnfold.fold.account.ledger import Ledger


@dataclass(frozen=True)
class UnreadModel:
    """A model among several that could not be read, and why."""

    path: str
    reason: str


def fleet_blocks(
    ledgers: Mapping[str, Ledger], failed: Sequence[UnreadModel] = (), *, every_row: bool = False
) -> list[Block]:
    """The ledgers by model; where there are several, each under its name and in a table."""
    if len(ledgers) + len(failed) == 1:
        return ledger_blocks(next(iter(ledgers.values())), every_row=every_row)
    blocks: list[Block] = []
    for name, ledger in ledgers.items():
        blocks += [name_line(name), *ledger_blocks(ledger, every_row=every_row), blank()]
    return [*blocks, *summary_blocks(ledgers, failed)]


def name_line(path: str) -> Line:
    """Above what there is to say of one model among several."""
    return Line(f"-- {path}", "title")


def summary_blocks(ledgers: Mapping[str, Ledger], failed: Sequence[UnreadModel]) -> list[Block]:
    """Below several ledgers: a line for each model."""
    return [_summary(ledgers), *map(unread_line, failed)]


def unread_line(model: UnreadModel) -> Line:
    """That there is no ledger of it."""
    return Line(f"{model.path} was not read: {model.reason}", "bad")


def _summary(ledgers: Mapping[str, Ledger]) -> Table:
    columns = (
        Column("model"), Column("batch norms", right=True), Column("would be left", right=True),
        Column("left with --allow all", right=True),
    )  # fmt: skip
    rows = []
    for name, ledger in ledgers.items():
        left = [decision for decision in ledger.batch_norms if not decision.is_folded]
        stay = sum(not decision.would_fold_with for decision in left)
        rows.append((name, str(ledger.batch_norms_before), str(len(left)), str(stay)))
    return Table(columns, rows, caption="Models")
