"""The same blocks as HTML: headings with anchors, tables with captions and scopes, drawings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from bnfold.escaping import shown
from bnfold.report.blocks import Block, Chart, Column, Line, Table, words
from bnfold.report.chart_html import chart_html
from bnfold.report.markup import Markup, markup, tag

_LONG = 24  # characters: a cell of longer parts is text, and no list of words
_SLIM = 44  # characters that stand beside each other on a phone's screen


def blocks_html(blocks: Sequence[Block], anchor: str) -> Iterator[Markup]:
    """The blocks, one element each; `anchor` begins the ids of tables and rows."""
    for number, block in enumerate(blocks, 1):
        if isinstance(block, Table):
            yield _table(block, f"{anchor}-{number}-{_slug(block.caption)}".rstrip("-"))
        elif isinstance(block, Chart):
            yield chart_html(block.comparison)
        elif words(block):
            yield _line(block)


def _line(line: Line) -> Markup:
    classes = filter(None, (line.style, "indent" if line.indent else ""))
    return tag("p", {"class": " ".join(classes) or None}, words(line))


def _table(table: Table, anchor: str) -> Markup:
    columns = table.columns
    kinds = [_kind(table, index) for index in range(len(columns))]
    heads = [
        tag("th", {"scope": "col", "class": kind}, column.title)
        for column, kind in zip(columns, kinds, strict=True)
    ]
    rows = [
        tag("tr", {"id": f"{anchor}-{number}"}, _cells(row, columns, kinds))
        for number, row in enumerate(table.rows, 1)
    ]
    link = tag("a", {"href": f"#{anchor}"}, table.caption)
    return tag(
        "table",
        {"id": anchor, "class": "slim" if _width(table) <= _SLIM else None},
        tag("caption", {}, link) if table.caption else "",
        tag("thead", {}, tag("tr", {}, heads)),
        tag("tbody", {}, rows),
    )


def _kind(table: Table, index: int) -> str | None:
    if table.columns[index].right:
        return "number"
    parts = (part for row in table.rows for part in words(row[index]).split(", "))
    return "wide" if any(len(part) > _LONG for part in parts) else None


def _width(table: Table) -> int:
    """Characters that the columns need beside each other."""
    rows = [[column.title for column in table.columns], *table.rows]
    widest = (max(len(words(row[place])) for row in rows) for place in range(len(table.columns)))
    return sum(widest) + 2 * len(table.columns)


def _cells(
    row: Sequence[Line | str], columns: Sequence[Column], kinds: Sequence[str | None]
) -> Iterator[Markup]:
    for place, (cell, column, kind) in enumerate(zip(row, columns, kinds, strict=True)):
        style = cell.style if isinstance(cell, Line) else ""
        text = words(cell)
        indent = "indent" if text.startswith(" ") else None
        attributes = {
            "class": " ".join(filter(None, (kind, style, indent))) or None,
            "data-title": column.title,
            "scope": None if place else "row",
        }
        yield tag("td" if place else "th", attributes, _content(cell))


def _content(cell: Line | str) -> Markup | str | list[Markup]:
    if isinstance(cell, Line) and cell.link:
        return tag("a", {"href": cell.link}, words(cell))
    if isinstance(cell, Line) and cell.parts:
        return [tag("p", {}, _breakable(shown(part))) for part in cell.parts]
    return _breakable(words(cell).strip())


def _breakable(text: str) -> Markup | str:
    """Long names may end a line where their parts meet, and not in the middle of a word."""
    if all(len(word) <= _LONG for word in text.split()):
        return text
    return Markup(re.sub(r"[._/](?=\w)", r"\g<0><wbr>", markup(text)))


def _slug(caption: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", caption.lower()).strip("-")
