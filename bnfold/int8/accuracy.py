"""How far an int8 model is from the float model that it was made from, on the same inputs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bnfold.errors import DataError
from bnfold.record import Row
from bnfold.runtime.engine import Setting
from bnfold.runtime.sessions import Session

Array = np.ndarray[Any, np.dtype[Any]]
FeedSets = Sequence[Mapping[str, Array]]

MOST_DB = 200.0
"""Of two outputs that are equal to the bit: float32 itself reaches about 140."""


@dataclass(frozen=True)
class Int8Accuracy(Row):
    """An int8 model against a float model.

    Attributes:
        model: the float model that was quantised.
        output: the output that is furthest off.
        snr_db: the power of the float original's output over that of the difference, in dB.
        rows: how many rows were compared.
        top1_agreement: the share of rows with the same largest score; None where nothing is scored.
        top1: the share of rows whose largest score is the label's; None without labels.
        top1_float: the same of the float original.
    """

    model: str
    output: str
    snr_db: float
    rows: int
    top1_agreement: float | None
    top1: float | None
    top1_float: float | None


def outputs_of(model: Path, feeds: FeedSets, *, name: str) -> dict[str, Array]:
    """What the model computes on all the feeds, by output, row after row."""
    session = Session(str(model), Setting(), name=name)
    runs = [session.run(feed) for feed in feeds]
    return {
        output: np.concatenate([np.atleast_1d(run[i]) for run in runs])
        for i, output in enumerate(session.outputs)
    }


def accuracy(
    model: str, reference: Mapping[str, Array], found: Mapping[str, Array], labels: Array | None
) -> Int8Accuracy:
    """The int8 outputs beside those of the float original.

    Raises:
        DataError: there are labels, and no output that they are of.
    """
    ratios = {
        name: snr_db(array, found[name])
        for name, array in reference.items()
        if array.dtype.kind == "f"
    }
    if not ratios:
        raise DataError(f"{model}: it has no output of real numbers to compare in int8")
    worst = min(ratios, key=lambda name: ratios[name])
    scores = next((n for n, a in reference.items() if a.dtype.kind == "f" and _is_scored(a)), None)
    if labels is not None and (scores is None or labels.shape != reference[scores].shape[:1]):
        rows = None if scores is None else len(reference[scores])
        raise DataError(
            f"the labels have the shape {list(labels.shape)}; {model} "
            + ("scores no classes" if rows is None else f"wants one for each of {rows} rows")
        )
    ours = None if scores is None else np.argmax(found[scores], axis=1)
    theirs = None if scores is None else np.argmax(reference[scores], axis=1)
    return Int8Accuracy(
        model=model,
        output=worst,
        snr_db=ratios[worst],
        rows=len(reference[worst]),
        top1_agreement=None if ours is None else float(np.mean(ours == theirs)),
        top1=None if labels is None else float(np.mean(ours == labels)),
        top1_float=None if labels is None else float(np.mean(theirs == labels)),
    )


def snr_db(reference: Array, found: Array) -> float:
    """10 log10(sum r^2 / sum (r - f)^2), at most `MOST_DB`; -inf where `found` is not finite."""
    exact, other = reference.astype(np.float64), found.astype(np.float64)
    noise = float(np.sum((exact - other) ** 2))
    signal = float(np.sum(exact**2))
    if not math.isfinite(noise):
        return -math.inf
    if noise == 0 or signal == 0:
        return MOST_DB if noise == 0 else -math.inf
    return min(10 * math.log10(signal / noise), MOST_DB)


def _is_scored(array: Array) -> bool:
    """Whether rows hold a score for each of several classes."""
    return array.ndim == 2 and array.shape[1] > 1
