"""Models so large that opening them with optimisations is most of the work.

At a level that optimises, onnxruntime makes all weights anew, and holds both while it opens a
model; without optimisations it maps them from their files.
"""

from __future__ import annotations

from collections.abc import Sequence

LARGE_BYTES = 1 << 30
SPARING_LEVELS = ("none",)


def is_large(size_bytes: int) -> bool:
    """Whether a model with so many bytes is only run without optimisations, unless asked."""
    return size_bytes >= LARGE_BYTES


def levels_for(size_bytes: int, usual: Sequence[str], asked: Sequence[str] = ()) -> tuple[str, ...]:
    """Those that were asked for; where none were, those of a model of this size."""
    return tuple(asked) or (SPARING_LEVELS if is_large(size_bytes) else tuple(usual))


def told_size(size_bytes: int) -> str:
    """So many bytes, for a sentence."""
    return f"{size_bytes / 2**30:,.1f} GiB" if size_bytes < 1 << 60 else "over 2^30 GiB"
