"""How many vectors have gone through a weight is counted as a convolution itself counts them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from bnfold.float64 import run_op
from bnfold.fold.proof.readings import Readings, readings_of


@pytest.mark.parametrize(
    ("size", "kernel", "attributes"),
    [
        ((3, 3), (3, 3), {"pads": [1, 1, 1, 1]}),
        ((7, 7), (1, 1), {}),
        ((7, 8), (3, 5), {"strides": [2, 1], "pads": [1, 0, 0, 2]}),
        ((9,), (3,), {"dilations": [3], "auto_pad": "SAME_UPPER"}),
        ((7, 7), (7, 7), {"strides": [2, 2], "pads": [3, 3, 3, 3]}),
        ((2, 2), (7, 7), {"pads": [3, 3, 3, 3]}),
    ],
)
def test_a_tap_is_read_at_each_place_where_it_lies_within(
    size: tuple[int, ...], kernel: tuple[int, ...], attributes: dict[str, object]
) -> None:
    """Ones convolved by a kernel that is one tap: as many ones come out as places see it."""
    ones = np.ones((1, 1, *size))
    counts = []
    for tap in itertools.product(*map(range, kernel)):
        weight = np.zeros((1, 1, *kernel))
        weight[(0, 0, *tap)] = 1
        counts.append(int(run_op("Conv", [ones, weight], attributes, opset=11)[0].sum()))
    least = min(count for count in counts if count)
    found = readings_of("Conv", (5, 4, *size), (6, 4, *kernel), attributes, is_first=False)
    assert found == Readings(5 * least, 5)


@pytest.mark.parametrize(
    ("op", "x", "weight", "attributes", "is_first", "count"),
    [
        ("Gemm", (3, 8), (8, 5), {}, False, 3),
        ("Gemm", (8, 3), (8, 5), {"transA": 1}, False, 3),
        ("Gemm", (8, 3), (5, 8), {}, True, 3),
        ("Gemm", (3, 8), (5, 8), {"transB": 1}, True, 3),
        ("MatMul", (2, 3, 8), (8, 5), {}, False, 6),
        ("MatMul", (2, 3, 8), (2, 8, 5), {}, False, 3),
        ("MatMul", (2, 8, 3), (5, 8), {}, True, 6),
        ("MatMul", (8,), (8, 5), {}, False, 1),
        ("ConvTranspose", (2, 8, 4, 4), (8, 3, 2, 2), {}, False, 2),
    ],
)
def test_a_product_reads_its_weight_by_each_row(
    op: str,
    x: tuple[int, ...],
    weight: tuple[int, ...],
    attributes: dict[str, object],
    is_first: bool,
    count: int,
) -> None:
    found = readings_of(op, x, weight, attributes, is_first=is_first)
    assert found == Readings(count, count)
