"""Which of the runtime's optimisations two models are compared at, where nobody says."""

from __future__ import annotations

import warnings

from bnfold.runtime.large import is_large, levels_for, told_size
from bnfold.verify.pairing import Pair

LEVELS = ("none", "all")


def usual_levels(pair: Pair) -> tuple[str, ...]:
    """Without and with all of them; of a large model without, and a warning says so."""
    largest = max(pair.onnx_models, key=lambda subject: subject.weight_bytes)
    size_bytes = largest.weight_bytes
    if is_large(size_bytes):
        warnings.warn(
            f"{largest.name} has {told_size(size_bytes)}: it is compared without optimisations "
            "alone (--level none --level all compares it with them too)",
            stacklevel=1,
        )
    return levels_for(size_bytes, LEVELS)
