"""An export in words: what was written, how near it is to the module, what to know of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bnfold.report.blocks import Block, Line
from bnfold.report.words import counted

if TYPE_CHECKING:
    from bnfold.export.records import End, ExportResult
    from bnfold.report.export_facts import ExportFacts


def export_blocks(found: ExportResult | ExportFacts) -> list[Block]:
    """A line for the file, its inputs and its check each, and for each warning and note."""
    what = f"{counted(found.batch_norms, 'batch norm')}, opset {found.opset}"
    place = "memory" if found.path is None else found.path
    blocks: list[Block] = [Line(f"exported {found.source} to {place}: {what}", "title")]
    if found.inputs:
        blocks.append(Line(_axes(found.inputs), indent=2))
    if found.check is not None:
        blocks.append(Line(f"against the module: {found.check.reason}", indent=2))
    blocks += [Line(f"warning: {warning}", "warn", indent=2) for warning in found.warnings]
    blocks += [Line(f"note: {note}", "dim", indent=2) for note in found.notes]
    return blocks


def _axes(inputs: Sequence[End]) -> str:
    from bnfold.runtime.signature import dims_text

    shapes = ", ".join(f"{end.name} {dims_text(end.shape)}" for end in inputs)
    named = [dim for end in inputs for dim in end.shape or () if not isinstance(dim, int)]
    free = ", ".join(dict.fromkeys(str(dim or "?") for dim in named))
    return f"inputs: {shapes}; free to vary: {free or 'nothing'}"
