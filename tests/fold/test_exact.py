"""Folded tensors: rounded once, written by parts, and refused where their type cannot hold them."""

from __future__ import annotations

import io

import numpy as np
import onnx_ir as ir
import pytest

from bnfold.fold.numbers.exact import of_array, of_tensor, scaled


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
