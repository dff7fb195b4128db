"""A verification in words: the verdict, the table behind it, and where to look when it is bad."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from bnfold.report.blocks import Block, Column, Line, Style, Table, blank
from bnfold.report.words import counted

if TYPE_CHECKING:
    from bnfold.verify.records import DecisionRow, Verification

VERDICT_STYLES: dict[str, Style] = {
    "equivalent": "good",
    "different": "bad",
    "inconclusive": "warn",
}


SAME_FILE = "both are the same file, byte for byte: this tells nothing about a change"


def verification_blocks(found: Verification, *, every_row: bool = False) -> list[Block]:
    """The verdict's sentence, then the evidence; the inputs too where every row is asked for."""
    blocks: list[Block] = [*verdict_lines(found)]
    blocks += _structure(found, every_row=every_row)
    if found.outputs:
        blocks += [blank(), _outputs(found)]
    blocks += [Line(_decision(row)) for row in found.decisions]
    blocks += [Line(f"note: {note}", "dim") for note in found.notes]
    blocks.append(Line(_method(found), "dim"))
    if found.evidence:
        blocks.append(Line(f"evidence: {found.evidence}", "dim"))
    if every_row and found.feeds:
        blocks += [blank(), _feeds(found)]
    return blocks


def verdict_lines(found: Verification) -> list[Line]:
    """The verdict's sentence and, where the models differ, where they begin to and what to do."""
    lines = [Line(f"{found.verdict}: {found.reason}", VERDICT_STYLES[found.verdict])]
    if found.is_same_file:
        lines.append(Line(SAME_FILE, "warn", indent=2))
    if found.location is not None:
        lines.append(Line(found.location.sentence, "bad", indent=2))
        for site in found.location.sites:
            lines.append(Line(f"leave it unfolded with --skip {site!r}", indent=2))
    return lines


def _structure(found: Verification, *, every_row: bool) -> Iterable[Block]:
    columns = (Column("structure"), Column("original"), Column("other"), Column(""))
    rows = [
        (
            row.what,
            row.original,
            row.other,
            "same" if row.is_same else Line("differs", "bad" if row.is_fatal else "warn"),
        )
        for row in found.structure
        if every_row or not row.is_same
    ]
    return [blank(), Table(columns, rows, caption="Structure")] if rows else []


def _outputs(found: Verification) -> Table:
    from bnfold.verify.records import ROW_TITLES

    columns = [Column(title, right=title not in ("output", "level", "")) for title in ROW_TITLES]
    rows: list[tuple[Line | str, ...]] = []
    for row, cells in zip(found.outputs, found.rows(), strict=True):
        rows.append((*cells[:-1], Line(cells[-1], "good" if row.is_within else "bad")))
    return Table(columns, rows, caption="Outputs")


def _decision(row: DecisionRow) -> str:
    text = f"{row.output}: top-1 agrees on {row.top1_agree} of {row.samples}"
    if row.top5_agree is not None:
        text += f", top-5 on {row.top5_agree}"
    return (
        f"{text}; the smallest margin between two classes is {row.smallest_margin:.3g}, "
        f"the largest change of a score {row.largest_change:.1e}"
    )


def _method(found: Verification) -> str:
    providers, levels = " and ".join(found.providers), " and ".join(found.levels)
    yardstick = f"rounding error in {found.as_dtype}" if found.as_dtype else "own rounding error"
    sets = counted(len(found.feeds), "set")
    return (
        f"measured on {sets} of inputs (seed {found.seed}){_pace(found)}, "
        f"provider {providers}, optimisations {levels}; {found.method}; "
        f"allowed: {found.factor:g} times the original's {yardstick}"
    )


def _pace(found: Verification) -> str:
    if not found.seconds or not found.feeds:
        return ""
    return f" in {found.seconds:.2g} s, {found.samples_per_second:.2g} a second"


def _feeds(found: Verification) -> Table:
    columns = (Column("inputs"), Column("kind"), Column("seed"), Column("shapes"))
    rows = [
        (
            feed.name,
            feed.kind,
            "" if feed.seed is None else " ".join(map(str, feed.seed)),
            ", ".join(f"{name} {list(shape)}" for name, shape in feed.shapes.items()),
        )
        for feed in found.feeds
    ]
    return Table(columns, rows, caption="Sets of inputs")
