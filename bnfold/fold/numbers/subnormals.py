"""Folded numbers so small that some processors compute with them many times slower."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bnfold.fold.numbers.affine import Array
from bnfold.fold.numbers.exact import Exact
from bnfold.fold.numbers.to_dtype import limits, rounded_to


def subnormals_in(exact: Exact) -> int:
    """How many entries are, once rounded, neither 0 nor a normal number."""
    smallest = float(limits(exact.dtype).smallest_normal)
    if exact.smallest >= smallest:
        return 0
    count = 0
    for start, stop in exact.chunks():
        rounded = np.abs(rounded_to(exact.rows(start, stop), exact.dtype).astype(np.float64))
        count += int(np.sum((rounded < smallest) & (rounded > 0)))
    return count


def flushed(exact: Exact) -> Exact:
    """The tensor with 0 in the place of each number that would be subnormal."""
    smallest = float(limits(exact.dtype).smallest_normal)

    def rows(start: int, stop: int) -> Array:
        part = exact.rows(start, stop)
        return np.where(np.abs(part) < smallest, 0.0, part)

    return replace(exact, rows=rows, stored=None, told_by_row=None)
