"""The same blocks on a terminal: colours where they are wanted, tables that fit the width."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table as RichTable
from rich.text import Text

from bnfold.escaping import shown
from bnfold.report.blocks import Block, Chart, Line, Style, Table, words

_READABLE = 20  # columns that a wrapped sentence needs

COLOURS: dict[Style, str] = {
    "": "",
    "title": "bold",
    "good": "green",
    "bad": "bold red",
    "warn": "yellow",
    "dim": "dim",
}


def print_blocks(blocks: Sequence[Block], console: Console) -> None:
    """The blocks stand on the console; long sentences wrap under their own beginning."""
    for block in blocks:
        if isinstance(block, Chart):
            continue
        if block == Line(""):
            console.print()
            continue
        if isinstance(block, Table) and _least_width(block) > console.width:
            for indent, line in _stacked(block):
                console.print(Padding(line, (0, 0, 0, block.indent + indent), expand=False))
            continue
        shown = _table(block) if isinstance(block, Table) else _text(block)
        console.print(Padding(shown, (0, 0, 0, block.indent), expand=False))


def _text(line: Line | str) -> Text:
    if isinstance(line, str):
        return Text(words(line))
    return Text(words(line), style=COLOURS[line.style])


def _least_width(table: Table) -> int:
    """Below this, cells would be cut, or words would be broken into crumbs."""
    width = table.indent + len(table.columns) - 1
    for index, column in enumerate(table.columns):
        longest = max(len(words(row[index])) for row in (*table.rows, [column.title] * (index + 1)))
        width += longest if column.right else min(longest, _READABLE)
    return width


def _stacked(table: Table) -> Iterator[tuple[int, Text]]:
    """Each row as a few lines with their indent, for a screen too narrow for the columns."""
    for row in table.rows:
        for index, (column, cell) in enumerate(zip(table.columns, row, strict=True)):
            indent = 2 if index else 0
            title = f"{column.title}: " if column.title else ""
            if isinstance(cell, Line) and len(cell.parts) > 1:
                yield indent, Text(title)
                yield from ((indent + 2, Text(shown(part))) for part in cell.parts)
            elif words(cell):
                yield indent, Text.assemble(title, _text(cell))


def _table(table: Table) -> RichTable:
    shown = RichTable(
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
        header_style="bold",
    )
    for column in table.columns:
        shown.add_column(
            column.title,
            justify="right" if column.right else "left",
            no_wrap=column.right,
            overflow="fold",
        )
    for row in table.rows:
        shown.add_row(*(_text(cell) for cell in row))
    return shown
