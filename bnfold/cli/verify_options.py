"""The options that `verify` and `run` share, and the call that they make."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from bnfold.cli.progress import progress

if TYPE_CHECKING:
    from bnfold.verify.records import Verification

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True)
class VerifyOptions:
    """What was asked of a verification."""

    data: Sequence[Path] = ()
    samples: int | None = None
    seed: int = 0
    provider: str = "cpu"
    custom_ops: Sequence[Path] = ()

    def to_dict(self) -> dict[str, Any]:
        """The settings as a record keeps them."""
        return {
            "data": [str(path) for path in self.data],
            "samples": self.samples,
            "seed": self.seed,
            "provider": self.provider,
            "custom_ops": [str(path) for path in self.custom_ops],
        }


def is_spec(source: str) -> bool:
    """Whether this names code or a program to export, and not an ONNX file."""
    return source.endswith(".pt2") or (":" in source and not Path(source).exists())
