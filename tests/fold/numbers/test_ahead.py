"""Parts that are computed ahead come in order, few at a time, and as one thread computes them."""

from __future__ import annotations

import io
import itertools

import numpy as np
import onnx_ir as ir
import pytest

from bnfold.fold.numbers.ahead import computed_ahead
from bnfold.fold.numbers.exact import of_tensor, scaled


def test_parts_come_in_order_and_few_are_held():
    begun: list[int] = []

    def compute(item: int) -> int:
        begun.append(item)
        return item * item

    parts = computed_ahead(compute, itertools.count())
    assert [next(parts) for _ in range(20)] == [i * i for i in range(20)]
    assert len(begun) <= 23
    parts.close()


def test_what_goes_wrong_in_a_part_is_heard():
    with pytest.raises(ZeroDivisionError):
        list(computed_ahead(lambda item: 1 / item, [2, 1, 0, 3]))


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_a_large_weight_is_written_as_it_is_rounded_at_once(dtype):
    random = np.random.default_rng(3)
    weight = random.standard_normal((1025, 1031)).astype(dtype)
    factor = random.standard_normal((1025, 1))
    folded = scaled(of_tensor(ir.Tensor(weight)), factor)
    file = io.BytesIO()
    folded.lazy_tensor("w").tofile(file)
    assert file.getvalue() == (weight.astype(np.float64) * factor).astype(dtype).tobytes()


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
def test_extremes_of_a_stored_weight_are_those_of_its_numbers(dtype):
    weight = np.random.default_rng(5).standard_normal((300, 1000)).astype(dtype)
    weight[7] = 0
    exact = of_tensor(ir.Tensor(weight))
    sizes = np.abs(weight.astype(np.float64))
    assert exact.largest == sizes.max()
    assert exact.smallest == sizes[sizes > 0].min()
