"""Whether a tensor, as it will be saved, is the float64 value rounded once."""

from __future__ import annotations

import io
from contextlib import suppress
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnx_ir as ir

from bnfold.fold.numbers.affine import Array
from bnfold.fold.numbers.exact import of_tensor

_READ = 1 << 20  # elements: of a larger tensor no more are read here
_PIECE = 1 << 15  # of them compared at a time: what is reckoned with stays in the cache

_BYTE = 8  # bits
_HALF = 0.5
_FORMATS = {
    ir.DataType.DOUBLE: (52, -1022),
    ir.DataType.FLOAT: (23, -126),
    ir.DataType.FLOAT16: (10, -14),
    ir.DataType.BFLOAT16: (7, -126),
}
"""Bits of the mantissa, and the smallest exponent of a normal number."""


class _EnoughError(Exception):
    """As much has been written as is looked at."""


class _Sink(io.BytesIO):
    """A file that takes no more than it is asked to."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def write(self, part: Any) -> int:
        count = super().write(part)
        if self.tell() >= self._most:
            raise _EnoughError
        return count


def misrounded(value: ir.Value) -> str | None:
    """What is wrong with the tensor of a fresh initializer; None where it is as it should be.

    Its bytes are taken from where saving takes them; of a large tensor the first million entries.
    """
    tensor = value.const_value
    assert tensor is not None, "a fresh initializer has a tensor"
    exact = of_tensor(tensor)
    shape = tuple(tensor.shape.numpy())
    if tensor.dtype != value.dtype or exact.dtype != value.dtype or shape != exact.shape:
        return f"'{value.name}' is declared as something else than its tensor is"
    stop = exact.shape[0] if exact.shape else 1
    per_row = max(1, exact.size // max(1, stop))
    stop = min(stop, max(1, _READ // per_row))
    count = stop * per_row if exact.size else 0
    saved = _saved(tensor, count)

    def is_nearest(rows: tuple[int, int]) -> bool:
        wanted = exact.rows(*rows).reshape(-1)
        part = saved[rows[0] * per_row :][: wanted.size].reshape(wanted.shape)
        return _are_nearest(part, wanted, exact.dtype)

    if all(exact.parts(is_nearest, stop=stop)):
        return None
    return f"'{value.name}' is not rounded to the nearest {exact.dtype.name.lower()}"


def _are_nearest(saved: npt.NDArray[Any], wanted: Array, dtype: ir.DataType) -> bool:
    pieces = (slice(begin, begin + _PIECE) for begin in range(0, wanted.size, _PIECE))
    return all(_is_nearest(saved[p].astype(np.float64), wanted[p], dtype) for p in pieces)


def _saved(tensor: ir.TensorProtocol, count: int) -> npt.NDArray[Any]:
    """The first entries, from the bytes that go into a file."""
    size = -(-count * tensor.dtype.bitwidth // _BYTE)
    sink = _Sink(size)
    with suppress(_EnoughError):
        tensor.tofile(sink)  # type: ignore[attr-defined]
    saved = sink.getbuffer()[:size]
    if tensor.dtype.bitwidth >= _BYTE:
        return np.frombuffer(saved, tensor.dtype.numpy().newbyteorder("<"))
    stored = onnx.TensorProto(data_type=tensor.dtype.value, dims=[count], raw_data=bytes(saved))
    return ir.TensorProtoTensor(stored).numpy()


def _is_nearest(saved: Array, wanted: Array, dtype: ir.DataType) -> bool:
    """Within half a unit in the last place of what was saved; infinity for itself."""
    if not dtype.is_floating_point():
        return bool(np.all(np.abs(saved - wanted) <= _HALF))
    if dtype not in _FORMATS:
        return np.array_equal(saved, wanted.astype(dtype.numpy()).astype(np.float64))
    bits, smallest = _FORMATS[dtype]
    finite = np.isfinite(wanted)
    numbers, exactly = saved, wanted
    if not finite.all():
        if not np.array_equal(saved[~finite], wanted[~finite], equal_nan=True):
            return False
        numbers, exactly = saved[finite], wanted[finite]
    if dtype == ir.DataType.BFLOAT16:
        _, exponents = np.frexp(numbers)  # 0.5 <= mantissa < 1
        unit = np.ldexp(1.0, np.maximum(exponents - 1, smallest) - bits)
    else:
        unit = np.spacing(np.abs(numbers).astype(dtype.numpy())).astype(np.float64)
    return bool((np.abs(numbers - exactly) <= unit / 2).all())
