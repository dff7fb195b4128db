"""What the sets of inputs reach: outputs that never move say nothing of what they are made by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx_ir as ir

from bnfold.float64.control import values_read
from bnfold.runtime.signature import Array, is_exact_dtype
from bnfold.verify.rerun import Trial

_OF_SHAPES = frozenset({"Shape", "Size"})
"""Operators whose result tells of an input's extents and not of its numbers."""


def resting(trials: Sequence[Trial], outputs: Sequence[int]) -> list[int]:
    """Those of the float outputs, by index, that are the same for any numbers of one shape.

    Where no output moves at all, not even an integer, those are named too.
    """
    at_rest = [i for i in outputs if not _moves(trials, i)]
    if len(at_rest) == len(outputs):
        return at_rest
    return [i for i in at_rest if not is_exact_dtype(trials[0][1][i].dtype)]


def _moves(trials: Sequence[Trial], output: int) -> bool:
    if not any(run[output].size for _, run in trials):
        return True  # empty is all that it can be
    seen: dict[object, Array] = {}
    for feed, run in trials:
        array = run[output]
        first = seen.setdefault(_shapes(feed.arrays), array)
        if not np.array_equal(first, array, equal_nan=not is_exact_dtype(array.dtype)):
            return True
    return False


def _shapes(arrays: Mapping[str, Array]) -> object:
    return tuple((name, array.shape) for name, array in arrays.items())


def follows_numbers(value: ir.Value) -> bool:
    """Whether a value depends on the numbers that are fed, and not on their shapes alone."""
    pending, seen = [value], {value}
    while pending:
        current = pending.pop()
        node = current.producer()
        if current.is_graph_input() and not current.is_initializer():
            return True
        if node is None or node.op_type in _OF_SHAPES:
            continue
        for read in values_read(node):
            if read not in seen:
                seen.add(read)
                pending.append(read)
    return False
