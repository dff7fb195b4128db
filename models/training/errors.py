"""What can go wrong in training."""

from __future__ import annotations

from bnfold.errors import BnfoldError


class DivergedError(BnfoldError):
    """The numbers are no longer finite; what was good before is in the checkpoint."""

    exit_code = 1
