"""A sweep as a reader meets it: a table of the models, those that need a look first."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

from bnfold.report.blocks import Block, Column, Line, Style, Table
from bnfold.report.gates import Gate
from bnfold.report.html import page
from bnfold.report.sections import Section
from bnfold.sweep.records import STATUSES, Outcome, Status, SweepResult

_STYLES: dict[Status, Style] = {
    "equivalent": "good",
    "not verified": "warn",
    "inconclusive": "warn",
    "different": "bad",
    "failed": "bad",
}


def sweep_blocks(result: SweepResult, folder: Path) -> list[Block]:
    """The table, and the bottom line; on a page, models lead to their own pages in the folder."""
    columns = (
        Column("model"), Column("verdict"), Column("batch norms", right=True),
        Column("left", right=True), Column("why"),
    )  # fmt: skip
    worst_first = sorted(result.outcomes, key=lambda found: -STATUSES.index(found.status))
    rows = [_row(outcome, folder) for outcome in worst_first]
    return [Table(columns, rows, caption="Models"), *bottom_line(result)]


def bottom_line(result: SweepResult) -> list[Line]:
    """How many came out how."""
    kept = sum(outcome.is_kept for outcome in result.outcomes)
    lines = [Line(result.headline)]
    if kept:
        lines.append(Line(f"{kept} of them from an earlier sweep, unchanged since", "dim"))
    return lines


def sweep_page(result: SweepResult, folder: Path) -> str:
    """The page of the whole fleet, to lie in the folder."""
    blocks = sweep_blocks(result, folder)
    return page("bnfold sweep", bottom_line(result), [Section("Models", blocks[:1])])


def outcome_gate(outcome: Outcome) -> Gate:
    """That the model came out well, as a case of its own for machines that show tests."""
    is_open = outcome.status == "inconclusive"
    holds = None if is_open else outcome.status not in ("different", "failed")
    return Gate(outcome.source, holds, f"{outcome.status}: {outcome.reason}")


def _row(outcome: Outcome, folder: Path) -> tuple[Line | str, ...]:
    is_folded = outcome.status != "failed"
    why = "" if outcome.status == "equivalent" else outcome.reason
    return (
        Line(outcome.source, link=_link(outcome, folder)),
        Line(outcome.status, _STYLES[outcome.status]),
        str(outcome.before) if is_folded else "",
        str(outcome.after) if is_folded else "",
        why,
    )


def _link(outcome: Outcome, folder: Path) -> str:
    if outcome.target is None:
        return ""
    page_of = Path(outcome.target).with_suffix(".html")
    return quote(Path(os.path.relpath(page_of, folder)).as_posix())
