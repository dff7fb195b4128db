"""Concrete sizes for what enters a region, and random values of them."""

from __future__ import annotations

import zlib
from collections.abc import Mapping

import numpy as np
import onnx_ir as ir

from bnfold.fold.facts.constants import Constant
from bnfold.fold.facts.graph import FLOATS, Facts
from bnfold.fold.proof.written import CertificateError

_BATCH = 2
_SPATIAL = 7  # an unknown extent in space: odd, and larger than most kernels
_MOST = 1 << 24  # elements of an input of the region


class Sizes:
    """Concrete extents for what enters a region; equal symbols get equal extents.

    Args:
        facts: of the model.
        factor: by which static extents in space are divided.
        concrete: shapes that follow from sizes of the model's inputs, where they are known.
    """

    def __init__(
        self,
        facts: Facts,
        factor: int,
        concrete: Mapping[ir.Value, tuple[int, ...]] | None = None,
    ) -> None:
        self._facts = facts
        self._factor = factor
        self._concrete = concrete or {}
        self._symbols: dict[str, int] = {}

    @property
    def is_shrunken(self) -> bool:
        """Whether static extents were made smaller."""
        return self._factor > 1

    def shape_of(self, value: ir.Value, partner: tuple[int, ...] | None) -> tuple[int, ...]:
        """The shape to feed the value with; open extents follow a partner it is joined with.

        Raises:
            CertificateError: its rank is not known.
        """
        dims = self._facts.dims(value)
        if dims is not None and partner is not None and len(partner) == len(dims):
            for dim, extent in zip(dims, partner, strict=True):
                if isinstance(dim, str):
                    self._symbols.setdefault(dim, extent)
            return tuple(
                self._extent(dim, axis) if dim is not None else partner[axis]
                for axis, dim in enumerate(dims)
            )
        if value in self._concrete:
            return self._concrete[value]
        if dims is None:
            raise CertificateError(f"the rank of '{value.name}' is not known")
        return tuple(self._extent(dim, axis) for axis, dim in enumerate(dims))

    def _extent(self, dim: int | str | None, axis: int) -> int:
        if isinstance(dim, int):
            return dim // self._factor if axis >= 2 and dim > 1 else dim
        plain = _BATCH if axis == 0 else _SPATIAL
        return plain if dim is None else self._symbols.setdefault(dim, plain)


def drawn(value: ir.Value, shape: tuple[int, ...], facts: Facts) -> Constant:
    """Random values of both signs; small integers where integers are wanted.

    Raises:
        CertificateError: there would be too many.
    """
    if int(np.prod(shape)) > _MOST:
        raise CertificateError(f"'{value.name}' of shape {shape} is too large to try")
    generator = np.random.default_rng(zlib.crc32((value.name or "").encode()))
    dtype = facts.dtype(value)
    if dtype is not None and dtype not in FLOATS:
        return np.asarray(generator.integers(0, 2, shape).astype(dtype.numpy()))
    return generator.standard_normal(shape)
