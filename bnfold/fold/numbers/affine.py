"""The affine map `A(x) = s * x + t` that a batch norm is at inference: numpy only.

`s` and `t` are float64 arrays that broadcast against the value they apply to: as many axes as the
value, each extent 1 or the value's. Held so, a channel shuffle, a Flatten or a Slice is plain array
indexing, and no operator needs to know which axis "the channels" are.

An entry that is NaN, in both `s` and `t`, stands for "any": nobody reads that part of the value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

_RESIDUE = 4 * np.finfo(np.float64).eps

Array = npt.NDArray[np.float64]
Dims = tuple[int | str | None, ...]


@dataclass(frozen=True, eq=False)
class Affine:
    """`A(x) = s * x + t`.

    Attributes:
        scale: `s`, broadcastable against the value, with as many axes as the value.
        shift: `t`, likewise.
    """

    scale: Array
    shift: Array

    @property
    def rank(self) -> int:
        """The rank of the value that it applies to."""
        return self.scale.ndim

    @property
    def extents(self) -> tuple[int, ...]:
        """The shape of `s` and `t` together: 1 along axes where it is constant."""
        if self.scale.shape == self.shift.shape:
            return self.scale.shape
        return np.broadcast_shapes(self.scale.shape, self.shift.shape)

    @property
    def entries(self) -> int:
        """How many it has along the axis along which it varies; 1 where it is one number."""
        return max(self.extents, default=1)

    @cached_property
    def has_shift(self) -> bool:
        """Whether any `t` that is read differs from 0."""
        return bool(((self.shift != 0) & (self.shift == self.shift)).any())

    @cached_property
    def has_scale(self) -> bool:
        """Whether any `s` that is read differs from 1."""
        return bool(((self.scale != 1) & (self.scale == self.scale)).any())

    @property
    def is_identity(self) -> bool:
        """Whether it changes nothing that is read."""
        return not self.has_scale and not self.has_shift

    @property
    def is_nonnegative(self) -> bool:
        """Whether no `s` that is read is negative: order is kept, and 0 stays 0."""
        return bool(np.all(self.scale[~np.isnan(self.scale)] >= 0))

    def varies_along(self, axis: int) -> bool:
        """Whether it differs between entries of that axis, as far as its extents tell."""
        return self.extents[axis] > 1

    def after(self, first: Affine) -> Affine:
        """`self(first(x))`: the composition in which `first` comes first."""
        scale, moved = np.asarray(self.scale * first.scale), self.scale * first.shift
        shift = np.asarray(moved + self.shift)
        # what is left of 1 / c * c - 1 or m - m is rounding, and would stand in the way for nothing
        is_one = np.abs(scale - 1) <= _RESIDUE
        is_none = np.abs(shift) <= _RESIDUE * (np.abs(moved) + np.abs(self.shift))
        np.copyto(scale, 1.0, where=is_one)
        np.copyto(shift, 0.0, where=is_none)
        return Affine(scale, shift)

    def equals(self, other: Affine) -> bool:
        """Equal to the last bit wherever either is read, after broadcasting."""
        return _same(self.scale, other.scale) and _same(self.shift, other.shift)

    def only_scale(self) -> Affine:
        """`s * x`."""
        return Affine(self.scale, np.zeros_like(self.shift))

    def only_shift(self) -> Affine:
        """`x + t`."""
        return Affine(np.ones_like(self.scale), self.shift)

    def fits(self, dims: Dims | None) -> bool:
        """Whether it broadcasts into a value of these dimensions without enlarging it."""
        if dims is None or len(dims) != self.rank:
            return False
        return all(extent in (1, dim) for extent, dim in zip(self.extents, dims, strict=True))

    def channels(self, axis: int, count: int) -> tuple[Array, Array] | None:
        """`(s, t)` as vectors `[count]` along `axis`; None if it varies along another axis."""
        extents = self.extents
        if any(extent > 1 for i, extent in enumerate(extents) if i != axis):
            return None
        if extents[axis] not in (1, count):
            return None
        scale = np.broadcast_to(self.scale.reshape(-1), (count,))
        shift = np.broadcast_to(self.shift.reshape(-1), (count,))
        return scale, shift

    def settled(self) -> Affine:
        """Entries that nobody reads become what the others along an axis are, or the identity."""
        scale, shift = self.scale, self.shift
        if not (np.isnan(scale).any() or np.isnan(shift).any()):
            return self
        if np.isnan(scale).any():
            scale, shift = np.broadcast_arrays(scale, shift)
            for axis in range(self.rank):
                first, second = _agreed(scale, axis), _agreed(shift, axis)
                if first is not None and second is not None:
                    scale, shift = first, second
        return Affine(np.where(np.isnan(scale), 1.0, scale), np.where(np.isnan(shift), 0.0, shift))

    def aligned(self, rank: int) -> Affine:
        """The same map for a value with leading axes more, as broadcasting right-aligns them."""
        return Affine(_aligned(self.scale, rank), _aligned(self.shift, rank))


def identity(rank: int) -> Affine:
    """The map that changes nothing, for a value of this rank."""
    return Affine(np.ones((1,) * rank), np.zeros((1,) * rank))


def along(axis: int, rank: int, scale: Array, shift: Array) -> Affine:
    """Vectors `s`, `t` `[C]` laid along one axis of a value."""
    shape = [1] * rank
    shape[axis] = -1
    return Affine(scale.reshape(shape), shift.reshape(shape))


def agree(maps: Sequence[Affine]) -> Affine | None:
    """The one map that satisfies all of them, "any" giving way; None where two contradict."""
    scale, shift = maps[0].scale, maps[0].shift
    for other in maps[1:]:
        if not (_same(scale, other.scale) and _same(shift, other.shift)):
            return None
        scale = np.where(np.isnan(scale), other.scale, scale)
        shift = np.where(np.isnan(shift), other.shift, shift)
    return Affine(scale, shift)


def _agreed(array: Array, axis: int) -> Array | None:
    """The array with extent 1 along the axis, "any" giving way; None where entries differ."""
    low = np.fmin.reduce(array, axis=axis, keepdims=True)
    high = np.fmax.reduce(array, axis=axis, keepdims=True)
    return low if np.all((low == high) | np.isnan(low)) else None


def _same(a: Array, b: Array) -> bool:
    return bool(np.all((a == b) | np.isnan(a) | np.isnan(b)))


def _aligned(array: Array, rank: int) -> Array:
    return array.reshape((1,) * (rank - array.ndim) + array.shape)
