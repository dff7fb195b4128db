"""What a fold changes of a model's size: operators, parameters and work, before and after."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from bnfold.report.blocks import Block, Column, Line, Table, blank
from bnfold.report.words import byte_size

if TYPE_CHECKING:
    from bnfold.fold.account.ledger import Ledger
    from bnfold.fold.account.size import Size

_UNKNOWN = "not known"


def size_table(ledger: Ledger, *, every_row: bool = False) -> Iterable[Block]:
    """Before and after in one table; of the operators, those whose number changes, or all."""
    if ledger.before is None or ledger.after is None:
        return []
    before, after = ledger.before, ledger.after
    names = dict.fromkeys([*sorted(before.operators), *sorted(after.operators)])
    rows = [
        (f"  {name}", *_pair(before.operators.get(name, 0), after.operators.get(name, 0)))
        for name in names
        if every_row or before.operators.get(name, 0) != after.operators.get(name, 0)
    ]
    if not (rows or ledger.decisions):
        return []
    columns = (Column("size"), Column("before", right=True), Column("after", right=True))
    table = [
        ("nodes", *_pair(before.nodes, after.nodes)),
        *rows,
        ("parameters", *_pair(before.parameters, after.parameters)),
        ("parameter bytes", byte_size(before.parameter_bytes), byte_size(after.parameter_bytes)),
        ("multiplications", _work(before), _work(after)),
    ]
    return [blank(), Table(columns, table, caption="Size"), *_legend(before)]


def _pair(before: int, after: int) -> tuple[str, Line | str]:
    changed = f"{after:,}"
    return f"{before:,}", Line(changed, "good") if after < before else changed


def _work(size: Size) -> str:
    return _UNKNOWN if size.multiplications is None else f"{size.multiplications:,}"


def _legend(size: Size) -> Iterable[Line]:
    if size.multiplications is None:
        yield Line("multiplications are not known where sizes beside the batch are open", "dim")
