"""Models in int8 for a measurement: quantised alike, and how accurate each is beside the first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from bnfold.bench.inputs import Arrays
from bnfold.bench.model_files import ModelFile
from bnfold.errors import DataError, ModelError
from bnfold.int8.accuracy import Int8Accuracy, accuracy, outputs_of
from bnfold.int8.quantise import quantise
from bnfold.int8.spread import spreads, widened

FALLS_DB = 1.0
"""From as many decibels on, a fall in accuracy is told; less is a matter of the calibration."""

FEW_ROWS = 32
"""With fewer, what is told of accuracy is that of the rows that the ranges were taken from."""

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Int8:
    """The subjects in int8, and what is to be said of them."""

    subjects: tuple[ModelFile, ...]
    accuracies: tuple[Int8Accuracy, ...]
    notes: tuple[str, ...]


def in_int8(
    found: Sequence[ModelFile], feeds: Sequence[Arrays], labels: Array | None, folder: Path
) -> Int8:
    """Each subject quantised with the same data, and compared with the float baseline on it.

    Raises:
        DataError: the data or the labels do not fit.
        ModelError: onnxruntime does not quantise a model.
    """
    baseline = found[0]
    reference = outputs_of(baseline.path, feeds, name=baseline.name)
    quantised: list[ModelFile] = []
    accuracies: list[Int8Accuracy] = []
    notes: list[str] = []
    for i, subject in enumerate(found):
        target, name = folder / f"int8-{i}.onnx", f"{subject.name} in int8"
        try:
            quantise(subject.path, feeds, target, name=subject.name)
            if subject.role != "floor":  # it computes something else
                outputs = outputs_of(target, feeds, name=name)
                row = _compared(subject, baseline, reference, outputs, labels)
                notes += _falls(baseline, subject, (accuracies or [row])[0], row, feeds[0])
                accuracies.append(row)
        except (ModelError, DataError) as error:
            if not subject.may_fail:
                raise
            notes.append(f"{name} is not measured: {error}")
            continue
        size_bytes = target.stat().st_size
        quantised.append(replace(subject, name=name, path=target, size_bytes=size_bytes))
    rows = min((row.rows for row in accuracies), default=FEW_ROWS)
    if rows < FEW_ROWS:
        notes.append(
            f"{rows} {'row' if rows == 1 else 'rows'} of data calibrated the int8 models and then "
            f"judged them: give {FEW_ROWS} or more before you believe the accuracy"
        )
    return Int8(tuple(quantised), tuple(accuracies), tuple(notes))


def _compared(
    subject: ModelFile,
    baseline: ModelFile,
    reference: Mapping[str, Array],
    outputs: Mapping[str, Array],
    labels: Array | None,
) -> Int8Accuracy:
    if any(outputs[name].shape != reference[name].shape for name in reference):
        raise DataError(f"{subject.name}: its outputs are not those of {baseline.name}")
    return accuracy(subject.name, reference, outputs, labels)


def _falls(
    baseline: ModelFile,
    subject: ModelFile,
    before: Int8Accuracy,
    after: Int8Accuracy,
    feed: Any,
) -> list[str]:
    """That the subject is less accurate in int8 than the baseline is, and where that comes from."""
    if after.snr_db > before.snr_db - FALLS_DB:
        return []
    said = (
        f"in int8 {subject.name} is {before.snr_db - after.snr_db:.1f} dB further from the float "
        f"model than {baseline.name} is"
    )
    apart = widened(
        spreads(baseline.path, feed, name=baseline.name),
        spreads(subject.path, feed, name=subject.name),
    )
    if apart is None:
        return [said]
    return [
        f"{said}: the channels of {apart!r} are further apart than those of any tensor before, and "
        "int8 has one scale for all of them; fold with --equalize, or leave the batch norm behind "
        "it with --skip"
    ]
