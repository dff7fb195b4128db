"""What a record keeps of an export."""

from __future__ import annotations

from dataclasses import dataclass

from bnfold.export.records import End
from bnfold.verify.records import Verification


@dataclass(frozen=True)
class ExportFacts:
    """All of an export but the model; see `ExportResult`."""

    source: str
    path: str | None
    opset: int
    batch_norms: int
    check: Verification | None
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    inputs: tuple[End, ...] = ()
