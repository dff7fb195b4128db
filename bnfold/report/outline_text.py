"""A model at first sight, in two lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from bnfold.report.blocks import Block, Line
from bnfold.report.words import byte_size, counted, names

if TYPE_CHECKING:
    from bnfold.model_io.outline import DeclaredEnd, Outline


def outline_blocks(outline: Outline) -> list[Block]:
    """How large it is and of what; what it takes and returns."""
    operators = Counter(outline.operators).most_common()
    opset = "" if outline.opset is None else f", opset {outline.opset}"
    what = (
        f"{byte_size(outline.size_bytes)}{opset}, {counted(sum(n for _, n in operators), 'node')}"
    )
    parts = names(f"{count:,} {name}" for name, count in operators)
    return [
        Line(f"model: {what}{f': {parts}' if parts else ''}", "title"),
        Line(f"inputs: {_ends(outline.inputs)}; outputs: {_ends(outline.outputs)}", indent=2),
    ]


def _ends(ends: Iterable[DeclaredEnd]) -> str:
    from bnfold.runtime.signature import dims_text

    return names(f"{end.name} {dims_text(end.dims)}" for end in ends) or "none"
