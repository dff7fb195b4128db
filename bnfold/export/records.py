"""What an export gives: frozen facts that can be rendered as text or JSON."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bnfold import model_io
from bnfold.notebook_display import Shown
from bnfold.record import Row

if TYPE_CHECKING:
    import onnx_ir as ir

    from bnfold.verify.records import Verification


@dataclass(frozen=True)
class End(Row):
    """An input or an output of the graph; `shape` is None where not even the rank is known."""

    name: str
    dtype: str
    shape: tuple[int | str | None, ...] | None


@dataclass(frozen=True)
class ExportResult(Shown):
    """An exported network.

    Attributes:
        model: the clean graph; its tensors are its own, the module may change or go.
        path: where it was saved, or None.
        source: what was exported: the SPEC, or the module's class.
        opset: the version of the ONNX operators.
        batch_norms: how many BatchNormalization nodes the graph has.
        check: the verification against the module, or None when there was none.
        notes: sentences about what was done on the way, all of it expected.
        warnings: sentences that a user should read.
        by_default: the graph as `torch.onnx.export` writes it, where that was asked for.
    """

    model: ir.Model
    path: Path | None
    source: str
    opset: int
    batch_norms: int
    check: Verification | None
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    by_default: ir.Model | None = None

    @property
    def inputs(self) -> tuple[End, ...]:
        """What the graph takes; a dimension that may vary has a name in place of a size."""
        return tuple(map(_described, self.model.graph.inputs))

    def __getstate__(self) -> dict[str, Any]:
        """For pickle: the model as its bytes, its folded weights computed."""
        usual = None if self.by_default is None else model_io.packed(self.by_default)
        return {**self.__dict__, "model": model_io.packed(self.model), "by_default": usual}

    def __setstate__(self, state: dict[str, Any]) -> None:
        usual = state["by_default"]
        self.__dict__.update(
            state,
            model=model_io.unpacked(state["model"]),
            by_default=None if usual is None else model_io.unpacked(usual),
        )

    def __repr__(self) -> str:
        """One line."""
        place = "in memory" if self.path is None else f"at {self.path}"
        return f"<ExportResult {self.source} {place}, opset {self.opset}>"

    def to_dict(self) -> dict[str, Any]:
        """The facts as JSON values; the model itself is in the file."""
        return {
            "path": None if self.path is None else os.fspath(self.path),
            "source": self.source,
            "opset": self.opset,
            "batch_norms": self.batch_norms,
            "inputs": [end.to_dict() for end in self.inputs],
            "outputs": [_described(value).to_dict() for value in self.model.graph.outputs],
            "check": None if self.check is None else self.check.to_dict(),
            "notes": list(self.notes),
            "warnings": list(self.warnings),
        }


def _described(value: ir.Value) -> End:
    shape = None if value.shape is None else tuple(_dimension(dim) for dim in value.shape)
    return End(value.name or "", str(value.dtype), shape)


def _dimension(dim: int | ir.SymbolicDim) -> int | str | None:
    return dim if isinstance(dim, int) else dim.value
