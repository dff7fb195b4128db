"""Tensors known in float64 before rounding, computed a few rows at a time when they are needed.

A folded weight is the float64 value rounded once to its dtype, however many folds it went through:
each fold builds on the unrounded tensor before it. Nothing is held in memory but the stored
originals, so that peak memory follows the largest tensor and not the model.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from bnfold.fold.numbers.affine import Array
from bnfold.fold.numbers.ahead import Part, computed_ahead
from bnfold.fold.numbers.extremes import Extremes, extremes_of, of_all, scaled_extremes
from bnfold.fold.numbers.to_dtype import limits, rounded_to

_CHUNK = 1 << 18  # elements held in float64 at a time: 2 MiB, which stay in the cache
_WIDE = 64  # entries of a row, beside which two numbers for each row are few
_BYTE = 8  # bits
_KEEP = 1 << 12  # up to 32 KiB a tensor is kept once computed

Rows = Callable[[int, int], Array]
StoredRows = Callable[[int, int], npt.NDArray[np.generic]]


@dataclass(frozen=True, eq=False)
class Exact:
    """A tensor in float64, by rows of its first axis.

    Attributes:
        shape: as stored.
        dtype: what it is rounded to.
        rows: `rows(start, stop)` gives `[stop - start, *shape[1:]]` in float64; a scalar, itself.
        is_bound: infinity is a meaning, not an overflow: the tensor bounds another one.
        stored: its rows as they are stored, where NumPy reckons with those fast; else None.
        told_by_row: gives `by_row` without a reading; None where only a reading tells.
    """

    shape: tuple[int, ...]
    dtype: ir.DataType
    rows: Rows
    is_bound: bool = False
    stored: StoredRows | None = None
    told_by_row: Callable[[], Extremes] | None = None

    @property
    def size(self) -> int:
        """Elements."""
        return math.prod(self.shape)

    def value(self) -> Array:
        """The whole tensor in float64."""
        return self.rows(0, self.shape[0] if self.shape else 1)

    def chunks(self, stop: int | None = None) -> Iterator[tuple[int, int]]:
        """Ranges of rows, up to `stop` or to the end, each of so many entries as the cache holds.

        One of no rows where there are none.
        """
        if not self.shape or not self.shape[0]:
            yield 0, self.shape[0] if self.shape else 1
            return
        end = self.shape[0] if stop is None else stop
        step = max(1, _CHUNK // max(1, math.prod(self.shape[1:])))
        for start in range(0, end, step):
            yield start, min(start + step, end)

    def parts(
        self, compute: Callable[[tuple[int, int]], Part], stop: int | None = None
    ) -> Iterator[Part]:
        """`compute(rows)` of each range of rows, in order; ahead, where there are several."""
        chunks = self.chunks(stop)
        return computed_ahead(compute, chunks) if self.size > _CHUNK else map(compute, chunks)

    def rounded(self) -> npt.NDArray[np.generic]:
        """The tensor rounded once to its dtype."""
        if self.size <= _CHUNK:
            return rounded_to(self.value(), self.dtype)
        out = np.empty(self.shape, dtype=self.dtype.numpy())
        for start, stop in self.chunks():
            out[start:stop] = rounded_to(self.rows(start, stop), self.dtype)
        return out

    def fault(self, *, is_addend: bool = False) -> str | None:
        """Why rounding would lose it: "overflow" or "underflow"; None where all is well.

        Args:
            is_addend: it is added to numbers that are rounded to its dtype: what it loses by
                underflow, they lose too.
        """
        if not self.dtype.is_floating_point():
            return None
        largest = np.array([self._extremes[1]])
        if not np.isfinite(rounded_to(largest, self.dtype).astype(np.float64)):
            return "overflow"  # rounding keeps order: if one overflows, the largest does
        has_small = self._extremes[0] < float(limits(self.dtype).smallest_normal)
        matters = has_small and not is_addend and not self.is_bound
        return "underflow" if matters and self._loses_a_slice() else None

    @property
    def largest(self) -> float:
        """The largest absolute value, from the same reading as `fault`; 0 where there is none."""
        return self._extremes[1]

    @property
    def smallest(self) -> float:
        """The smallest absolute value but 0, from that reading; infinite where there is none."""
        return self._extremes[0]

    @cached_property
    def _extremes(self) -> tuple[float, float]:
        """The smallest absolute value but 0, and the largest, NaN if any is."""
        return of_all(self.by_row if self.size > _KEEP else self._read_by_row())

    @cached_property
    def by_row(self) -> Extremes:
        """The same of each row: one reading, or none where another tensor's tell."""
        if self.told_by_row is not None and not self.is_bound:
            return self.told_by_row()
        return self._read_by_row()

    def _read_by_row(self) -> Extremes:
        if self.size <= _KEEP:  # held once it is computed
            return extremes_of(self._sizes(0, self.shape[0] if self.shape else 1))
        found = self.parts(lambda rows: extremes_of(self._sizes(*rows)))
        lows, highs = (np.concatenate(part) for part in zip(*found, strict=True))
        return lows, highs

    def _sizes(self, start: int, stop: int) -> npt.NDArray[np.generic]:
        rows = self.rows if self.stored is None or self.size <= _KEEP else self.stored
        sizes = np.abs(rows(start, stop)).reshape(max(stop - start, 1), -1)
        return np.where(np.isfinite(sizes), sizes, 0) if self.is_bound else sizes

    def _loses_a_slice(self) -> bool:
        """Whether along some axis an entry, with all that belongs to it, is not itself any more.

        Entries of axis 0 of a weight make one output each, entries of axis 1 read one input each:
        inputs of 1e4 have weights of 1e-4 beside those of others. A slice may lose as much as one
        rounding to the dtype loses of a number, and no more.
        """
        tolerance = float(limits(self.dtype).eps)
        lost, whole = ([np.zeros(extent) for extent in self.shape or (1,)] for _ in range(2))
        for start, stop in self.chunks():
            rows = np.atleast_1d(self.rows(start, stop))
            error = (rounded_to(rows, self.dtype).astype(np.float64) - rows) ** 2
            square = rows**2
            for axis in range(rows.ndim):
                others = tuple(i for i in range(rows.ndim) if i != axis)
                part = slice(start, stop) if axis == 0 else slice(None)
                lost[axis][part] += error.sum(axis=others)
                whole[axis][part] += square.sum(axis=others)
        pairs = zip(lost, whole, strict=True)
        return any(bool(np.any(a > tolerance**2 * b)) for a, b in pairs)

    def lazy_tensor(self, name: str) -> ir.LazyTensor:
        """An initializer's tensor that is computed when it is read, and by parts when saved."""
        return _FoldedTensor(self, name)


class _FoldedTensor(ir.LazyTensor):
    """A tensor that is computed anew each time, and written a few rows at a time."""

    __slots__ = ("exact",)

    def __init__(self, exact: Exact, name: str) -> None:
        super().__init__(
            lambda: ir.Tensor(exact.rounded(), dtype=exact.dtype, name=name),
            dtype=exact.dtype,
            shape=ir.Shape(exact.shape),
            name=name,
        )
        self.exact = exact

    def tofile(self, file: BinaryIO) -> None:
        """Writes the little-endian bytes without holding all of them."""
        if self.exact.dtype.bitwidth < _BYTE:  # several in a byte: rows may share one
            file.write(self.tobytes())
            return
        for rounded in self.exact.parts(self._part):
            file.write(rounded)

    def _part(self, rows: tuple[int, int]) -> bytes | memoryview:
        rounded = rounded_to(self.exact.rows(*rows), self.exact.dtype)
        if sys.byteorder == "little" and rounded.flags.c_contiguous:
            return rounded.reshape(-1).view(np.uint8).data  # the bytes where they lie
        return ir.Tensor(rounded, dtype=self.exact.dtype).tobytes()


def exact_of(tensor: ir.TensorProtocol) -> Exact | None:
    """The tensor before rounding, where a fold has made it."""
    return tensor.exact if isinstance(tensor, _FoldedTensor) else None


def of_tensor(tensor: ir.TensorProtocol) -> Exact:
    """The stored tensor, read (or mapped) a few rows at a time; a folded one, before rounding."""
    if isinstance(tensor, _FoldedTensor):
        return tensor.exact

    def stored(start: int, stop: int) -> npt.NDArray[np.generic]:
        whole = tensor.numpy()
        return np.asarray(whole[start:stop] if whole.ndim else whole)

    def rows(start: int, stop: int) -> Array:
        return stored(start, stop).astype(np.float64)

    dtype = tensor.dtype
    is_fast = dtype in (ir.DataType.FLOAT, ir.DataType.DOUBLE)
    return computed(tensor.numpy().shape, dtype, rows, stored=stored if is_fast else None)


def of_array(array: Array, dtype: ir.DataType) -> Exact:
    """A tensor that was computed already."""
    return Exact(array.shape, dtype, lambda start, stop: array[start:stop] if array.ndim else array)


def scaled(base: Exact, factor: Array) -> Exact:
    """`base * factor`, where the factor broadcasts into the base and has as many axes."""

    def rows(start: int, stop: int) -> Array:
        part = factor[start:stop] if factor.ndim and factor.shape[0] > 1 else factor
        if base.stored is None or base.size <= _KEEP:
            return base.rows(start, stop) * part
        # widened as it is multiplied: the same numbers, and no copy in float64 is made first
        return np.asarray(np.multiply(base.stored(start, stop), part, dtype=np.float64))

    is_by_row = factor.ndim > 0 and factor.size == factor.shape[0] == base.shape[0]
    if not is_by_row or base.is_bound or base.size < _WIDE * base.shape[0]:
        return computed(base.shape, base.dtype, rows)

    def by_row() -> Extremes:
        return scaled_extremes(base.by_row, factor.reshape(-1))

    return computed(base.shape, base.dtype, rows, told_by_row=by_row)


def mapped(
    base: Exact, shape: tuple[int, ...], compute: Callable[[Array], Array], dtype: ir.DataType
) -> Exact:
    """`compute(base)`, a whole tensor at a time: for rearrangements that mix rows."""

    def rows(start: int, stop: int) -> Array:
        whole = compute(base.value())
        return whole[start:stop] if whole.ndim else whole

    return computed(shape, dtype, rows)


def reduced(
    base: Exact, compute: Callable[[Array, int, int], Array], *, concatenate: bool
) -> Array:
    """`compute(rows, start, stop)` over all rows, a few at a time, joined or summed."""

    def part(rows: tuple[int, int]) -> Array:
        return compute(base.rows(*rows), *rows)

    parts = base.parts(part)
    if concatenate:
        return np.concatenate(list(parts))
    first = next(parts)
    return np.asarray(sum(parts, start=first))


def computed(
    shape: tuple[int, ...],
    dtype: ir.DataType,
    rows: Rows,
    *,
    stored: StoredRows | None = None,
    told_by_row: Callable[[], Extremes] | None = None,
) -> Exact:
    """A tensor whose rows are computed when they are read; a small one is kept once computed."""
    if math.prod(shape) > _KEEP:
        return Exact(shape, dtype, rows, stored=stored, told_by_row=told_by_row)
    held: list[Array] = []

    def cached(start: int, stop: int) -> Array:
        if not held:
            held.append(rows(0, shape[0] if shape else 1))
        return held[0][start:stop] if shape else held[0]

    return Exact(shape, dtype, cached, stored=stored, told_by_row=told_by_row)
