"""A sweep as a reader meets it: a table of the models, those that need a look first."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bnfold.record import read_as
from bnfold.report.bench_text import VERDICT_STYLES as SPEED_STYLES
from bnfold.report.blocks import Block, Column, Line, Style, Table
from bnfold.report.gates import Gate
from bnfold.report.html import page
from bnfold.report.sections import Findings, Section
from bnfold.sweep.records import STATUSES, Outcome, Speed, Status, SweepResult

_STYLES: dict[Status, Style] = {
    "equivalent": "good",
    "not verified": "warn",
    "inconclusive": "warn",
    "different": "bad",
    "failed": "bad",
}


def sweep_blocks(result: SweepResult, folder: Path | None) -> list[Block]:
    """The table, and the bottom line; models lead to their own pages, as seen from the folder."""
    speeds = [Column("speed")] if any(o.speed is not None for o in result.outcomes) else []
    columns = (
        Column("model"), Column("verdict"), Column("batch norms", right=True),
        Column("left", right=True), *speeds, Column("why"),
    )  # fmt: skip
    worst_first = sorted(result.outcomes, key=lambda found: -STATUSES.index(found.status))
    rows = [_row(outcome, folder, is_timed=bool(speeds)) for outcome in worst_first]
    return [Table(columns, rows, caption="Models"), *bottom_line(result)]


def bottom_line(result: SweepResult) -> list[Line]:
    """How many came out how."""
    kept = sum(outcome.is_kept for outcome in result.outcomes)
    lines = [Line(result.headline)]
    if kept:
        lines.append(Line(f"{kept} of them from an earlier sweep, unchanged since", "dim"))
    if result.orphans:
        said = f"{', '.join(result.orphans)}: from an earlier sweep of what is there no more"
        lines.append(Line(f"{said}; delete it where nobody needs it", "warn"))
    return lines


def sweep_page(result: SweepResult, folder: Path) -> str:
    """The page of the whole fleet, to lie in the folder."""
    blocks = sweep_blocks(result, folder)
    return page("bnfold sweep", bottom_line(result), [Section("Models", blocks[:1])])


def sweep_findings(result: Mapping[str, Any]) -> Findings:
    """What a record of a sweep holds; it may be read anywhere, so nothing in it is a link.

    Raises:
        DataError: it is no result of a sweep.
    """
    found = SweepResult(
        read_as(tuple[Outcome, ...], result.get("models"), where="models"),
        read_as(tuple[str, ...], result.get("orphans", []), where="orphans"),
    )
    table = [block for block in sweep_blocks(found, None) if isinstance(block, Table)]
    gates = tuple(map(outcome_gate, found.outcomes))
    return Findings(others=[Section("Models", table)], said=bottom_line(found), gates=gates)


def outcome_gate(outcome: Outcome) -> Gate:
    """That the model came out well, as a case of its own for machines that show tests."""
    is_open = outcome.status == "inconclusive"
    holds = None if is_open else outcome.status not in ("different", "failed")
    return Gate(outcome.source, holds, f"{outcome.status}: {outcome.reason}")


def _row(outcome: Outcome, folder: Path | None, *, is_timed: bool) -> tuple[Line | str, ...]:
    is_folded = outcome.status != "failed"
    page_of = None if outcome.target is None else Path(outcome.target).with_suffix(".html")
    why = [] if outcome.status == "equivalent" else [outcome.reason]
    why += [f"{count} stay: {code}" for code, count in outcome.left.items()]
    if outcome.speed is not None and not outcome.speed.timings:
        why.append(f"not timed: {outcome.speed.reason}")
    return (
        Line(outcome.source, link=_link(page_of, folder)),
        Line(outcome.status, _STYLES[outcome.status]),
        str(outcome.before) if is_folded else "",
        str(outcome.after) if is_folded else "",
        *([_speed(outcome.speed, folder)] if is_timed else []),
        "; ".join(why),
    )


def _speed(speed: Speed | None, folder: Path | None) -> Line | str:
    if speed is None or not speed.timings:
        return ""
    page_of = None if speed.page is None else Path(speed.page)
    style = SPEED_STYLES[speed.timings[0].verdict]
    return Line(speed.reason, style, link=_link(page_of, folder))


def _link(page_of: Path | None, folder: Path | None) -> str:
    if page_of is None or folder is None:
        return ""
    return quote(Path(os.path.relpath(page_of, folder)).as_posix())
