"""Results that are still written aside, spoken of by the names that they will have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bnfold.report.blocks import Block, Chart, Line, Table


@dataclass(frozen=True)
class Placed:
    """`names` maps where each file is written to where it will be."""

    names: Mapping[str, str]

    def text(self, text: str) -> str:
        """The text, with every such name replaced."""
        for aside, target in self.names.items():
            text = text.replace(aside, target)
        return text

    def values(self, value: Any) -> Any:
        """JSON values, with the names replaced in every text."""
        if isinstance(value, dict):
            return {self.text(key): self.values(entry) for key, entry in value.items()}
        if isinstance(value, list):
            return [self.values(entry) for entry in value]
        return self.text(value) if isinstance(value, str) else value

    def blocks(self, blocks: Sequence[Block]) -> list[Block]:
        """Blocks, with the names replaced in every line and cell."""
        return [
            replace(block, rows=[[self._cell(cell) for cell in row] for row in block.rows])
            if isinstance(block, Table)
            else self._line(block)
            for block in blocks
            if not isinstance(block, Chart)
        ]

    def _cell(self, cell: Line | str) -> Line | str:
        return self.text(cell) if isinstance(cell, str) else self._line(cell)

    def _line(self, line: Line) -> Line:
        parts = tuple(map(self.text, line.parts))
        return replace(line, text=self.text(line.text), parts=parts)
