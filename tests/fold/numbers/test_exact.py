"""Folded tensors: rounded once, written by parts, and refused where their type cannot hold them."""

from __future__ import annotations

import io
from dataclasses import replace

import ml_dtypes
import numpy as np
import onnx_ir as ir
import pytest

from bnfold.fold.numbers.exact import of_array, of_tensor, scaled
from bnfold.fold.numbers.subnormals import flushed, subnormals_in


def test_bfloat16_is_rounded_once() -> None:
    """By way of float32 this would be rounded twice: down to the tie, and then to even."""
    value = np.array([1 + 2.0**-8 + 2.0**-30, -(1 + 2.0**-8 + 2.0**-30), 1 + 2.0**-8])
    rounded = of_array(value, ir.DataType.BFLOAT16).rounded().astype(np.float64)
    np.testing.assert_array_equal(rounded, [1 + 2.0**-7, -(1 + 2.0**-7), 1.0])


def test_two_folds_are_one_rounding() -> None:
    stored = ir.Tensor(np.array([[1 / 3, 2 / 7]], np.float32))
    twice = scaled(scaled(of_tensor(stored), np.array([[3.3]])), np.array([[1.7]]))
    wanted = (stored.numpy().astype(np.float64) * 3.3 * 1.7).astype(np.float32)
    np.testing.assert_array_equal(twice.rounded(), wanted)


@pytest.mark.parametrize("shape", [(), (3,), (5, 4), (1500, 1024)])
@pytest.mark.parametrize("dtype", [ir.DataType.FLOAT, ir.DataType.BFLOAT16, ir.DataType.INT8])
def test_written_by_parts_are_the_same_bytes(shape: tuple[int, ...], dtype: ir.DataType) -> None:
    """The last shape is larger than one part."""
    values = np.random.default_rng(0).uniform(-100, 100, shape)
    tensor = of_array(np.asarray(values), dtype).lazy_tensor("w")
    file = io.BytesIO()
    tensor.tofile(file)
    assert file.getvalue() == tensor.tobytes()
    assert len(file.getvalue()) == tensor.nbytes


@pytest.mark.parametrize(
    ("value", "dtype", "fault"),
    [
        (70000.0, ir.DataType.FLOAT16, "overflow"),
        (np.inf, ir.DataType.FLOAT, "overflow"),
        (1e39, ir.DataType.FLOAT, "overflow"),
        (1e39, ir.DataType.DOUBLE, None),
        (3e-8, ir.DataType.FLOAT16, "underflow"),
        (1.0, ir.DataType.FLOAT16, None),
    ],
)
def test_what_a_type_cannot_hold_is_found(
    value: float, dtype: ir.DataType, fault: str | None
) -> None:
    assert of_array(np.full((2, 3), value), dtype).fault() == fault


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("dtype", [ir.DataType.FLOAT16, ir.DataType.BFLOAT16, ir.DataType.FLOAT])
def test_an_entry_that_is_small_with_all_that_belongs_to_it_is_found(
    axis: int, dtype: ir.DataType
) -> None:
    """One output, one input or one tap of a weight is below what the type resolves."""
    tiny = float(ml_dtypes.finfo(dtype.numpy()).smallest_normal)
    values = np.random.default_rng(0).uniform(0.5, 1, (4, 5, 3))
    small = values.copy()
    small[(slice(None),) * axis + (1,)] *= tiny * 2.0**-5
    assert of_array(values, dtype).fault() is None
    assert of_array(small, dtype).fault() == "underflow"


def test_single_small_numbers_among_larger_ones_do_not_matter() -> None:
    """Every trained float16 weight has some."""
    values = np.random.default_rng(0).normal(0, 0.02, (64, 64, 3, 3))
    assert np.any(np.abs(values) < 2.0**-14)
    assert of_array(values, ir.DataType.FLOAT16).fault() is None


@pytest.mark.parametrize("shape", [(3,), (), (3, 1, 1)])
def test_a_scale_is_found_by_itself_and_an_addend_is_not(shape: tuple[int, ...]) -> None:
    """What an addend of 4e-8 loses, the sum that it goes into loses when it is rounded."""
    values = np.ones(shape)
    values[(slice(0, 1),) * len(shape)] = 4e-8
    assert of_array(values, ir.DataType.FLOAT16).fault() == "underflow"
    assert of_array(values, ir.DataType.FLOAT16).fault(is_addend=True) is None
    assert of_array(values, ir.DataType.FLOAT).fault() is None


def test_zeros_and_what_the_type_holds_exactly_are_no_loss() -> None:
    values = np.array([[0.0, 0.0], [2.0**-24, 2.0**-20], [1.0, 0.0]])
    assert of_array(values, ir.DataType.FLOAT16).fault() is None


@pytest.mark.parametrize("first", [1.0, 0.0, np.nan, np.inf])
@pytest.mark.parametrize("shape", [(6, 8, 3, 3), (6, 200), (5, 2), (0, 80), (9,)])
def test_extremes_of_a_scaled_tensor_are_those_of_its_entries(shape, first) -> None:
    """Those of rows are scaled, and not read again: rounding keeps order."""
    rng = np.random.default_rng(0)
    array = np.where(rng.random(shape) < 0.2, 0, rng.standard_normal(shape)).astype(np.float32)
    array[:1] = first
    column = (-1, *[1] * (len(shape) - 1))
    factors = [rng.standard_normal(shape[0]) for _ in range(2)]
    factors[1][1:2] = 0
    once = scaled(of_tensor(ir.Tensor(array)), factors[0].reshape(column))
    twice = scaled(once, factors[1].reshape(column))
    with np.errstate(invalid="ignore"):
        entries = np.abs(array * factors[0].reshape(column) * factors[1].reshape(column))
    assert np.array_equal(twice.largest, np.max(entries, initial=0), equal_nan=True)
    if not np.isnan(first):
        assert twice.smallest == np.min(entries, initial=np.inf, where=entries > 0)


def test_infinity_in_a_scaled_bound_is_no_overflow() -> None:
    array = np.full((3, 80), -np.inf, np.float32)
    array[1] = 2
    bound = scaled(of_tensor(ir.Tensor(array)), np.ones((3, 1)))
    assert bound.fault() == "overflow"
    assert replace(bound, is_bound=True).fault() is None


def test_what_is_flushed_is_not_small_any_more() -> None:
    array = np.full((2, 80), 1e-38, np.float32)
    tensor = scaled(of_tensor(ir.Tensor(array)), np.array([[1e-3], [1e3]]))
    assert tensor.smallest < 1e-40
    assert subnormals_in(tensor) == 80
    assert flushed(tensor).smallest > 1e-36
    assert subnormals_in(flushed(tensor)) == 0
