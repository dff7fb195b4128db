"""The same blocks as Markdown, for a pull request or a summary in CI."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bnfold.report.blocks import Block, Line, Table, words

MARK = "<!-- bnfold -->"  # by which the file is known as ours
_MARKUP = re.compile(r"([\\`*_{}\[\]<>#|&~$])")


def markdown_text(blocks: Sequence[Block]) -> str:
    """The blocks as Markdown that ends in a newline; whatever a name holds is plain text."""
    parts: list[str] = []
    for block in blocks:
        if isinstance(block, Table):
            parts.append(_table(block))
        elif isinstance(block, Line) and words(block):
            parts.append(_line(block))
    return "".join(f"{part}\n\n" for part in (MARK, *parts)).rstrip() + "\n"


def _line(line: Line) -> str:
    text = escaped(words(line))
    if line.style in ("title", "good", "bad", "warn"):
        return f"**{text}**"
    return f"- {text}" if line.indent else text


def _table(table: Table) -> str:
    head = [escaped(column.title) or " " for column in table.columns]
    rule = ["--:" if column.right else "---" for column in table.columns]
    rows = [[escaped(words(cell)) for cell in row] for row in table.rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *rows))


def escaped(text: str) -> str:
    """The text, with nothing in it that Markdown would read as markup."""
    return _MARKUP.sub(r"\\\1", text)
