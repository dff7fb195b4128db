"""What comes of a NaN that is fed: told, and no part of the verdict.

ONNX does not say what Max, Relu, ReduceMax or MaxPool make of a NaN, and runtimes differ: where
onnxruntime gives none, onnx's reference gives one for ReduceMax and GlobalMaxPool, and the other
way round for MaxPool. So Where(x > 0, x, 0) is Relu for every number, and only a NaN tells them
apart; who feeds NaN wants to know.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from bnfold.runtime.signature import Array, is_exact_dtype
from bnfold.verify.subject import Runner


def with_nan(arrays: Mapping[str, Array]) -> dict[str, Array] | None:
    """The inputs, the middle number of the first row of each float one NaN; None without any."""
    found = {}
    for name, array in arrays.items():
        if is_exact_dtype(array.dtype) or not array.size:
            continue
        changed = array.copy()
        row = changed.reshape(len(changed) if changed.ndim else 1, -1)[0]
        row[row.size // 2] = np.nan
        found[name] = changed
    return {**arrays, **found} if found else None


def apart_on_nan(
    names: Sequence[str], ours: Runner, theirs: Runner, fed: Mapping[str, Array]
) -> str | None:
    """In which float output, and at how many places, only one of the models gives NaN; or None."""
    runs = zip(names, ours.run(fed), theirs.run(fed), strict=False)
    for name, a, b in runs:
        if is_exact_dtype(a.dtype) or a.shape != b.shape:
            continue
        apart = int((np.isnan(a.astype(np.float64)) != np.isnan(b.astype(np.float64))).sum())
        if apart:
            return (
                f"where an input is NaN the models part: at {apart} of {a.size} places of output "
                f"{name!r} only one gives NaN; that is no part of the verdict, as ONNX leaves open "
                "what its operators make of NaN"
            )
    return None
