"""The fenced code blocks of a page, each with what the comment before it says of it."""

from __future__ import annotations

import re
from dataclasses import dataclass

_BLOCK = re.compile(
    r"(?:^<!-- (?P<note>.*?) -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$",
    flags=re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """One code block.

    Attributes:
        language: as the fence names it.
        text: what stands in it.
        note: the comment before it: `file: NAME`, `not run: REASON` or `may end with N: REASON`.
    """

    language: str
    text: str
    note: str

    @property
    def file(self) -> str | None:
        """Where the block is to be kept; None where it is not a file."""
        kind, _, rest = self.note.partition(": ")
        return rest if kind == "file" else None

    @property
    def reason_not_to_run(self) -> str | None:
        """Why it is not run; None where it is."""
        kind, _, rest = self.note.partition(": ")
        return rest if kind == "not run" else None

    @property
    def exit_codes(self) -> set[int]:
        """How it may end."""
        found = re.match(r"may end with (\d+): .", self.note)
        return {0, int(found[1])} if found else {0}


def blocks_of(page: str) -> list[Block]:
    """All of them, in order."""
    return [
        Block(found["language"], found["text"], found["note"] or "")
        for found in _BLOCK.finditer(page)
    ]
