"""The one error of this package."""

from __future__ import annotations

from typing import Literal

from bnfold.errors import ModelError

Cause = Literal["run-time", "unsupported", "invalid", "budget"]


class ConstantError(ModelError):
    """A value is not known before the graph runs; the message says why, `cause` in one word.

    Attributes:
        cause: `run-time` (it depends on what is fed), `unsupported` (an operator that is random,
            runs graphs, or is not known to the runtime), `invalid` (its inputs do not fit: no
            runtime computes it) or `budget` (too large to be computed ahead of time).
    """

    def __init__(self, cause: Cause, message: str) -> None:
        super().__init__(message)
        self.cause = cause
