"""An export in words: what was written, how near it is to the module, what to know of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bnfold.export.records import End
from bnfold.report.blocks import Block, Line
from bnfold.report.words import counted
from bnfold.runtime.signature import dims_text
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
    inputs: tuple[End, ...] = ()


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
    shapes = ", ".join(f"{end.name} {dims_text(end.shape)}" for end in inputs)
    named = [dim for end in inputs for dim in end.shape or () if not isinstance(dim, int)]
    free = ", ".join(dict.fromkeys(str(dim or "?") for dim in named))
    return f"inputs: {shapes}; free to vary: {free or 'nothing'}"
