"""What is measured of models so large that opening them is most of the work, unless asked for more.

At a level that optimises, onnxruntime makes all weights anew: pairs hold three sessions with as
many copies of them, in each of nine processes. Without optimisations it maps them.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection, Sequence
from dataclasses import replace

from bnfold.bench.asked import LEVELS
from bnfold.bench.records import Settings

LARGE_BYTES = 1 << 30
SPARING_LEVELS = ("none",)
_PROCESSES = 1
_SECONDS = 60.0  # of pairs, for each comparison


def levels_for(size_bytes: int, asked: Sequence[str]) -> tuple[str, ...]:
    """Those that were asked for; where none were, those of a model of this size."""
    return tuple(asked) or (SPARING_LEVELS if size_bytes >= LARGE_BYTES else LEVELS)


def sparing(settings: Settings, name: str, size_bytes: int, said: Collection[str]) -> Settings:
    """The settings for a model of this size; where they are others, a warning says so.

    Args:
        settings: as they are for any model.
        name: of the model, for the sentence.
        size_bytes: of its files.
        said: the settings that a user has given: "levels", "processes", "pairs" for any length.
    """
    if size_bytes < LARGE_BYTES:
        return settings
    fewer = []
    if "levels" not in said:
        settings = replace(settings, levels=SPARING_LEVELS)
        fewer.append("without optimisations alone (--level all)")
    if "processes" not in said:
        settings = replace(settings, processes=_PROCESSES)
        fewer.append("in one process (--processes 9)")
    if "pairs" not in said:
        settings = replace(settings, pairs=None, duration_s=_SECONDS)
        fewer.append(
            f"by {_SECONDS:.0f} seconds of pairs, or three where they take longer (--pairs)"
        )
    if fewer:
        size = f"{size_bytes / 2**30:.1f} GiB"
        warnings.warn(f"{name} has {size}: it is timed {', '.join(fewer)}", stacklevel=1)
    return settings
