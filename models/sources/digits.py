"""1797 handwritten digits of 8 x 8 pixels, from scikit-learn."""

from __future__ import annotations

from functools import cache

import numpy as np

from models.sources.source import Source, Table, shuffled

HELD_OUT = 500


@cache
def read() -> tuple[Table, Table]:
    """500 held out, and 1297 others; the brightest pixel is 1."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = (digits.images / 16).astype(np.float32)[:, None]
    table = shuffled(Table(images, digits.target.astype(np.int64)))
    return table[:HELD_OUT], table[HELD_OUT:]


DIGITS = Source(
    name="digits",
    shape=(1, 8, 8),
    origin="E. Alpaydin, C. Kaynak: Optical Recognition of Handwritten Digits, UCI, 1998; "
    "in scikit-learn as `sklearn.datasets.load_digits`",
    licence="CC BY 4.0",
    read=read,
)
