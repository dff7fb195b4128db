"""What a fold inside torch gives: a module, and what became of each batch norm of the old one."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from bnfold.record import SCHEMA_VERSION, Row, json_form

if TYPE_CHECKING:
    import torch

    from bnfold.verify.records import Verification


@dataclass(frozen=True)
class KeptModule(Row):
    """A batch norm that stays as it was, by the name of its module, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class FoldedModule:
    """A copy of a module with its batch norms folded.

    Attributes:
        module: the copy, in eval mode; folded batch norms are `torch.nn.Identity`.
        folded: names of the batch norms that are gone.
        kept: those that stay, each with its reason.
        changed: names of the Linear and Conv modules with other weights.
        new_keys: entries of the state dict that there were not: biases that take a shift.
        gone_keys: entries that went with the batch norms. All others keep their names.
        verification: of the copy, exported, against the module that was given.
    """

    module: torch.nn.Module
    folded: tuple[str, ...]
    kept: tuple[KeptModule, ...]
    changed: tuple[str, ...]
    new_keys: tuple[str, ...]
    gone_keys: tuple[str, ...]
    verification: Verification

    def __repr__(self) -> str:
        """One line."""
        count = len(self.folded) + len(self.kept)
        return f"<FoldedModule {len(self.folded)} of {count} batch norms folded>"

    def to_dict(self) -> dict[str, Any]:
        """The facts as JSON values; the module itself is not among them."""
        return {
            "schema_version": SCHEMA_VERSION,
            "folded": list(self.folded),
            "kept": [json_form(asdict(kept)) for kept in self.kept],
            "changed": list(self.changed),
            "new_keys": list(self.new_keys),
            "gone_keys": list(self.gone_keys),
            "verification": self.verification.to_dict(),
        }
