"""What the sets of inputs reach: outputs that never move say nothing of what they are made by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx_ir as ir

from bnfold.float64.control import values_read
from bnfold.runtime.domains import DEFAULT_DOMAINS
from bnfold.runtime.signature import Array, is_exact_dtype
from bnfold.verify.records import OutputRow
from bnfold.verify.rerun import Trial
from bnfold.verify.scores import constant_of
from bnfold.verify.sides import numbers_of

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


_BEYOND_ROUNDING = 1e4
"""Times the rounding of 1, beyond which nothing next to 0 is rounding."""


def is_near_0(row: OutputRow) -> bool:
    """Whether what an output has where it should be 0 may be rounding of what was subtracted."""
    return not row.is_exact and not row.non_finite and row.ratio <= _BEYOND_ROUNDING


_FINITE = _OF_SHAPES | frozenset(
    {"Abs", "Add", "Clip", "Concat", "Constant", "Conv", "Expand", "Flatten", "Gather", "Gemm"}
    | {"GlobalAveragePool", "Identity", "MatMul", "Max", "Min", "Mul", "Neg", "ReduceMax"}
    | {"ReduceMean", "ReduceMin", "ReduceSum", "Relu", "Reshape", "Sigmoid", "Slice", "Softmax"}
    | {"Squeeze", "Sub", "Tanh", "Transpose", "Unsqueeze"}
)
"""Of numbers they make numbers, but for what overflows."""


def follows_numbers(value: ir.Value) -> bool:
    """Whether a value depends on the numbers that are fed, and not on their shapes alone.

    0 times a number is 0, whatever that is: exporters keep inputs alive so. What may be NaN or
    infinite where what is fed is not, as a quotient, is no number.
    """
    pending, seen = [value], {value}
    while pending:
        current = pending.pop()
        node = current.producer()
        if current.is_graph_input() and not current.is_initializer():
            return True
        if node is None or node.op_type in _OF_SHAPES or _is_0(node):
            continue
        for read in values_read(node):
            if read not in seen:
                seen.add(read)
                pending.append(read)
    return False


def _is_0(node: ir.Node) -> bool:
    """Whether it multiplies numbers by a constant 0."""
    if node.op_type != "Mul" or node.domain not in DEFAULT_DOMAINS:
        return False
    given = [numbers_of(v) for v in node.inputs if v is not None]
    is_0 = any(c is not None and not c.any() for c in given)
    return is_0 and all(v is not None and _is_finite(v) for v in node.inputs)


def _is_finite(value: ir.Value) -> bool:
    """Whether numbers that are fed make numbers of it."""
    pending, seen = [value], {value}
    while pending:
        current = pending.pop()
        node, constant = current.producer(), constant_of(current)
        if node is None or constant is not None:
            if constant is not None and not np.isfinite(constant.astype(np.float64)).all():
                return False
            continue
        if node.op_type not in _FINITE or node.domain not in DEFAULT_DOMAINS:
            return False
        for read in node.inputs:
            if read is not None and read not in seen:
                seen.add(read)
                pending.append(read)
    return True
