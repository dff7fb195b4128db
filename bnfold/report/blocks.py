"""What a report consists of, before anything is known of the screen, page or pipe it goes to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from bnfold.escaping import shown

if TYPE_CHECKING:
    from bnfold.bench.rows import Comparison

Style = Literal["", "title", "good", "bad", "warn", "dim"]


@dataclass(frozen=True)
class Line:
    """A sentence, or a few words.

    Attributes:
        indent: in spaces.
        link: where it leads on a page.
        parts: the text as several sentences, which a page sets one below the other.
    """

    text: str
    style: Style = ""
    indent: int = 0
    link: str = ""
    parts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Column:
    """A table's column; numbers are set flush right."""

    title: str
    right: bool = False


@dataclass(frozen=True)
class Table:
    """Rows of cells, one cell to a column; an empty cell stays empty.

    `caption` says what it is about, where nothing else does: on a page that is read in any order.
    """

    columns: Sequence[Column]
    rows: Sequence[Sequence[Line | str]]
    indent: int = 0
    caption: str = ""


@dataclass(frozen=True)
class Chart:
    """A drawing of the pairs of one comparison, where drawings can be shown."""

    comparison: Comparison


Block = Line | Table | Chart


def blank() -> Line:
    """An empty line."""
    return Line("")


def words(cell: Line | str) -> str:
    """What is to be read: names in a model may have anything in them, see `shown`."""
    return shown(cell if isinstance(cell, str) else cell.text)
