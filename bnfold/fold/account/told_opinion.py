"""The second opinion on a whole fold, as the ledger has it."""

from __future__ import annotations

from dataclasses import dataclass

from bnfold.record import Row


@dataclass(frozen=True)
class Opinion(Row):
    """What another runtime makes of the model before and after the fold.

    Attributes:
        runtime: its name and version; empty where it was not asked.
        sizes: on how many feeds, each of other sizes where the model takes several.
        error: the largest difference, over the largest value of its output.
        explained: what rounding alone explains, on the same scale.
        left_out: why nothing was compared; empty where it was.
    """

    runtime: str = ""
    sizes: int = 0
    error: float = 0.0
    explained: float = 0.0
    left_out: str = ""

    @property
    def agrees(self) -> bool:
        """Whether rounding explains all that differs."""
        return self.error <= self.explained

    def __str__(self) -> str:
        if self.left_out:
            return f"not checked in onnxruntime: {self.left_out}"
        sizes = "1 size" if self.sizes == 1 else f"{self.sizes} sizes"
        return f"checked in {self.runtime} at {sizes}: {self.error:.1g}"
