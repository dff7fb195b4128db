"""What allowing more would come to, in a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bnfold.report.blocks import Block, Column, Table, blank
from bnfold.report.words import byte_size

if TYPE_CHECKING:
    from bnfold.fold.account.allowance import Allowance


def allowance_table(allowances: Sequence[Allowance]) -> list[Block]:
    """A row for each set of prices: what it folds, and what the model would have more or less."""
    if not allowances:
        return []
    columns = (
        Column("what more would cost"), Column("would fold", right=True),
        Column("nodes", right=True), Column("multiplications", right=True),
        Column("parameter bytes", right=True),
    )  # fmt: skip
    rows = [
        (
            f"--allow {allowance.allow}",
            str(len(allowance.batch_norms)),
            _more(allowance.nodes),
            _more(allowance.multiplications),
            _more_bytes(allowance.parameter_bytes),
        )
        for allowance in allowances
    ]
    return [blank(), Table(columns, rows, caption="What allowing more would come to")]


def _more(count: int | None) -> str:
    return "not known" if count is None else f"{count:+,}" if count else "0"


def _more_bytes(count: int | None) -> str:
    if count is None:
        return "not known"
    return f"{'-' if count < 0 else '+'}{byte_size(abs(count))}"
