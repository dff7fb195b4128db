"""Plain text for pipes and files: aligned columns, no colours, and no sentence broken in two."""

from __future__ import annotations

from collections.abc import Sequence

from bnfold.report.blocks import Block, Line, Table, words

GAP = "  "


def plain_text(blocks: Sequence[Block]) -> str:
    """The blocks as text that ends in a newline; empty where there are none."""
    lines: list[str] = []
    for block in blocks:
        if isinstance(block, Table):
            lines += _table(block)
        elif isinstance(block, Line):
            lines.append(_line(block))
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _line(line: Line) -> str:
    return " " * line.indent + words(line)


def _table(table: Table) -> list[str]:
    titles = [column.title for column in table.columns]
    rows = [titles, *([words(cell) for cell in row] for row in table.rows)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(titles))]
    lines = []
    for row in rows:
        cells = [
            text.rjust(width) if column.right else text.ljust(width)
            for text, width, column in zip(row, widths, table.columns, strict=True)
        ]
        lines.append(" " * table.indent + GAP.join(cells))
    return lines
