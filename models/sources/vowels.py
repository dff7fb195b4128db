"""Nine speakers saying the vowels a and e: 12 cepstrum coefficients over 7 to 29 frames."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bnfold.errors import DataError
from models.sources.source import Source, Table, folder_of, shuffled

CHANNELS, FRAMES = 12, 29


@cache
def read() -> tuple[Table, Table]:
    """The 370 utterances that their recorders test on, and the 270 others."""
    folder = folder_of("aeon", "pip install --no-deps aeon==1.6.0")
    place = folder / "datasets" / "data" / "JapaneseVowels"
    held_out, rest = (read_ts(place / f"JapaneseVowels_{part}.ts") for part in ("TEST", "TRAIN"))
    return held_out, shuffled(rest)


def read_ts(path: Path) -> Table:
    """The examples of a `.ts` file, each `[CHANNELS, FRAMES]` with zeros after its end.

    A line has the channels with a colon between, the values of each with commas, and last the
    label, from 1.

    Raises:
        DataError: a line is not of that form.
    """
    head, marker, body = path.read_text(encoding="utf-8").partition("@data\n")
    if not marker or not head.lstrip().startswith(("#", "@")):
        raise DataError(f"{path}: not a .ts file: no line @data")
    lines = [line.split(":") for line in body.splitlines() if line.strip()]
    inputs = np.zeros((len(lines), CHANNELS, FRAMES), np.float32)
    labels = np.zeros(len(lines), np.int64)
    for row, (*channels, label) in enumerate(lines):
        try:
            values: NDArray[np.float64] = np.array([c.split(",") for c in channels], np.float64)
            if len(values) != CHANNELS:
                raise ValueError(f"{len(values)} channels, not {CHANNELS}")
            inputs[row, :, : values.shape[1]] = values
            labels[row] = int(label) - 1
        except (ValueError, IndexError) as error:
            raise DataError(f"{path}: example {row + 1} cannot be read: {error}") from error
    return Table(inputs, labels)


VOWELS = Source(
    name="vowels",
    shape=(CHANNELS, FRAMES),
    origin="M. Kudo, J. Toyama, M. Shimbo: Japanese Vowels, UCI, 1999; in aeon 1.6 as "
    "`JapaneseVowels_TRAIN.ts` and `_TEST.ts`",
    licence="CC BY 4.0",
    read=read,
)
