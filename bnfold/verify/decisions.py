"""What a classifier decides, before and after: the numbers that matter to whoever deploys it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bnfold.runtime.signature import Array, TensorSpec, is_exact_dtype
from bnfold.verify.records import DecisionRow


def decision_rows(
    outputs: Sequence[TensorSpec],
    original: Sequence[Sequence[Array]],
    other: Sequence[Sequence[Array]],
) -> list[DecisionRow]:
    """A row for each output that looks like class scores: floats, [N, at least 2 classes].

    On all sets the same number of classes: what varies with the inputs is no class.
    """
    rows = []
    for index, spec in enumerate(outputs):
        a = [run[index] for run in original]
        b = [run[index] for run in other]
        widths = {x.shape[1] if x.ndim == 2 else 0 for x in a}
        if not is_exact_dtype(a[0].dtype) and len(widths) == 1 and min(widths) > 1:
            rows.append(_row(spec.name, np.concatenate(a), np.concatenate(b)))
    return rows


def _row(name: str, a: Array, b: Array) -> DecisionRow:
    a, b = a.astype(np.float64), b.astype(np.float64)
    classes = a.shape[1]
    ranked = np.sort(a, axis=1)
    known = (np.isfinite(a) & np.isfinite(b)).all(axis=1)  # inf - inf is no margin
    margins, changes = ranked[known, -1] - ranked[known, -2], np.abs(a[known] - b[known])
    return DecisionRow(
        output=name,
        samples=len(a),
        classes=classes,
        top1_agree=int((a.argmax(axis=1) == b.argmax(axis=1)).sum()),
        top5_agree=int((_top5(a) == _top5(b)).all(axis=1).sum()) if classes > 5 else None,
        smallest_margin=float(margins.min(initial=np.inf)),
        largest_change=float(changes.max(initial=0.0)),
    )


def _top5(scores: Array) -> Array:
    """The five best classes of each row as a set: sorted indices."""
    return np.sort(np.argsort(-scores, axis=1, kind="stable")[:, :5], axis=1)
