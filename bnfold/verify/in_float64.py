"""Two models compared in float64 alone, where onnxruntime cannot run the second one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bnfold.runtime.signature import Array, is_exact_dtype
from bnfold.verify.measure import scale_of
from bnfold.verify.non_finite import same_non_finite
from bnfold.verify.records import Verdict

EXACT = 1e-9
"""Relative to an output's scale: two ways to compute the same in float64 agree better than that."""

Runs = Sequence[Sequence[Array]]


def compare_in_float64(names: Sequence[str], ours: Runs, theirs: Runs) -> tuple[Verdict, str]:
    """The verdict on outputs that neither model rounded, one run a set of inputs."""
    worst = 0.0
    for ours_run, theirs_run in zip(ours, theirs, strict=True):
        for name, a, b in zip(names, ours_run, theirs_run, strict=True):
            if a.shape != b.shape:
                return "different", (
                    f"output {name!r} has shape {list(b.shape)}, {list(a.shape)} in the original"
                )
            error = _error(a, b)
            if not error <= EXACT:
                return "different", (
                    f"output {name!r} is off by {error:.3g} of its scale in float64 "
                    f"({EXACT:g} is allowed)"
                )
            worst = max(worst, error)
    return "equivalent", (
        f"in float64 the other model is off by at most {worst:.2g} of an output's scale "
        f"on {len(ours)} sets of inputs ({EXACT:g} is allowed)"
    )


def _error(a: Array, b: Array) -> float:
    if is_exact_dtype(a.dtype) or is_exact_dtype(b.dtype):
        return float(np.mean(a != b)) if a.size else 0.0
    if not same_non_finite(a, b).all():
        return float("inf")
    known = np.isfinite(a)
    return float(np.max(np.abs(a[known] - b[known]), initial=0.0)) / scale_of(a)
