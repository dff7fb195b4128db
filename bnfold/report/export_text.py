"""An export in words: what was written, how near it is to the module, what to know of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bnfold.report.blocks import Block, Line
from bnfold.report.words import counted
from bnfold.verify.records import Verification

if TYPE_CHECKING:
    from bnfold.export.records import ExportResult


@dataclass(frozen=True)
class ExportFacts:
    """What a record keeps of an export, which is all but the model; see `ExportResult`."""

    source: str
    path: str | None
    opset: int
    batch_norms: int
    check: Verification | None
    notes: tuple[str, ...]
    warnings: tuple[str, ...]


def export_blocks(found: ExportResult | ExportFacts) -> list[Block]:
    """One line for the file, one for the check, and one for each warning and note."""
    what = f"{counted(found.batch_norms, 'batch norm')}, opset {found.opset}"
    place = "memory" if found.path is None else found.path
    blocks: list[Block] = [Line(f"exported {found.source} to {place}: {what}", "title")]
    if found.check is not None:
        blocks.append(Line(f"against the module: {found.check.reason}", indent=2))
    blocks += [Line(f"warning: {warning}", "warn", indent=2) for warning in found.warnings]
    blocks += [Line(f"note: {note}", "dim", indent=2) for note in found.notes]
    return blocks
