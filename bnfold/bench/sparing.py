"""What is measured of models so large that opening them is most of the work, unless asked for more.

Pairs hold three sessions, in each of nine processes; see `runtime.large` for what one takes.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection
from dataclasses import replace

from bnfold.bench.records import Settings
from bnfold.runtime.large import SPARING_LEVELS, is_large, told_size

_PROCESSES = 1
_SECONDS = 60.0  # of pairs, for each comparison


def sparing(settings: Settings, name: str, size_bytes: int, said: Collection[str]) -> Settings:
    """The settings for a model of this size; where they are others, a warning says so.

    Args:
        settings: as they are for any model.
        name: of the model, for the sentence.
        size_bytes: of its files.
        said: the settings that a user has given: "levels", "processes", "pairs" for any length.
    """
    if not is_large(size_bytes):
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
        sentence = f"{name} has {told_size(size_bytes)}: it is timed {', '.join(fewer)}"
        warnings.warn(sentence, stacklevel=1)
    return settings
