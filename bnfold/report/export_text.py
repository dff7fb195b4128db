"""An export in words: what was written, how near it is to the module, what to know of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bnfold.report.blocks import Block, Line
from bnfold.report.words import counted

if TYPE_CHECKING:
    from bnfold.export.records import ExportResult


def export_blocks(result: ExportResult) -> list[Block]:
    """One line for the file, one for the check, and one for each warning and note."""
    what = f"{counted(result.batch_norms, 'batch norm')}, opset {result.opset}"
    blocks: list[Block] = [Line(f"exported {result.source} to {result.path}: {what}", "title")]
    if result.check is not None:
        blocks.append(Line(f"against the module: {result.check.reason}", indent=2))
    blocks += [Line(f"warning: {warning}", "warn", indent=2) for warning in result.warnings]
    blocks += [Line(f"note: {note}", "dim", indent=2) for note in result.notes]
    return blocks
