"""Concrete sizes for what enters a region, and random values of them."""

from __future__ import annotations

import math
import zlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import onnx_ir as ir

from bnfold.fold.facts.constants import Constant
from bnfold.fold.facts.graph import FLOATS, Facts
from bnfold.fold.facts.node import attribute_of, is_op
from bnfold.fold.proof.written import CertificateError, UnknownRankError

PLAIN = (2, 7)
"""Open extents: of the first axis, and of others, odd and larger than most kernels."""

OTHER = (3, 10)
"""Other ones: what is right at one size only is wrong."""

SMALL = 7  # no extent in space becomes smaller
_LARGE = 12  # a static extent in space above this is made smaller first
_LARGEST_FACTOR = 1 << 16  # by which extents become smaller: more would take long to look for
_MOST = 1 << 24  # elements of an input of the region


Slot = str | tuple[ir.Value, int]
"""An open extent: a symbol, or the axis of a value where the graph has none."""


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Concrete extents for what enters a region; equal symbols get equal extents.

    Attributes:
        facts: of the model.
        smaller: static extents in space, and what is taken in their place.
        concrete: shapes that follow from sizes of the model's inputs, where they are known.
        plain: for open extents, that of the first axis and that of all others.
        given: other extents for some that are open.
        batch: the first axis of what has several becomes so large, whatever the graph states.
        is_lean: whether extents are smaller than they usually are.
        turn: which numbers are drawn.
    """

    facts: Facts
    smaller: Mapping[int, int] = field(default_factory=dict)
    concrete: Mapping[ir.Value, tuple[int, ...]] = field(default_factory=dict)
    plain: tuple[int, int] = PLAIN
    given: Mapping[Slot, int] = field(default_factory=dict)
    batch: int = 0
    is_lean: bool = False
    turn: int = 0
    _symbols: dict[str, int] = field(init=False, default_factory=dict)

    @property
    def is_shrunken(self) -> bool:
        """Whether extents are others than a network may need."""
        return self.is_lean or bool(self.smaller) or bool(self.batch)

    def again(self) -> Sizes:
        """The same with other numbers."""
        return replace(self, turn=self.turn + 1)

    def draw(self, value: ir.Value, partner: tuple[int, ...] | None) -> Constant:
        """Random numbers for the value; see `shape_of` and `drawn`."""
        return drawn(value, self.shape_of(value, partner), self.facts, self.turn)

    def shape_of(self, value: ir.Value, partner: tuple[int, ...] | None) -> tuple[int, ...]:
        """The shape to feed the value with; open extents follow a partner it is joined with.

        Raises:
            UnknownRankError: its rank is not known.
        """
        dims = self.facts.dims(value)
        follows = dims is not None and partner is not None and len(partner) == len(dims)
        if not follows and value in self.concrete:
            return self.concrete[value]
        if dims is None:
            raise UnknownRankError(
                f"the rank of '{value.name}' is not known",
                "declare the shapes of the inputs, symbolic dimensions will do",
            )
        near = partner if follows and partner is not None else (None,) * len(dims)
        return tuple(
            self._static(dim, axis, len(dims))
            if isinstance(dim, int)
            else self._open(slot_of(value, axis, dim), axis, near[axis])
            for axis, dim in enumerate(dims)
        )

    def _static(self, dim: int, axis: int, rank: int) -> int:
        if axis >= 2:
            return self.smaller.get(dim, dim)
        return max(dim, self.batch) if axis == 0 and rank > 1 else dim

    def _open(self, slot: Slot, axis: int, near: int | None) -> int:
        extent = self.plain[min(axis, 1)] if near is None else near
        extent = self.given.get(slot, extent)
        return self._symbols.setdefault(slot, extent) if isinstance(slot, str) else extent


def slot_of(value: ir.Value, axis: int, dim: str | None) -> Slot:
    """What stands for an open extent of the value."""
    return (value, axis) if dim is None else dim


def smaller_extents(
    nodes: Iterable[ir.Node], enters: Collection[ir.Value], facts: Facts, least: int = SMALL
) -> dict[int, int]:
    """Static extents in space with smaller ones of the same residues modulo what nodes step by.

    Residues decide where windows end, and so what SAME pads and ceil_mode adds. Several extents
    keep their ratio; where that cannot be had, nothing is made smaller, and none below `least`.
    """
    dims = (dim for value in enters for dim in (facts.dims(value) or ())[2:])
    spatial = {dim for dim in dims if isinstance(dim, int) and dim > 1}
    step = _step(nodes, facts)
    if not spatial or max(spatial) <= min(_LARGE, 2 * least) or step is None:
        return {}
    if len(spatial) == 1:
        (dim,) = spatial
        small = least + (dim - least) % step
        return {dim: small} if small < dim else {}
    largest = min(min(spatial) // least, _LARGEST_FACTOR)
    fits = [f for f in range(2, largest + 1) if _keeps_residues(spatial, f, step)]
    return {dim: dim // max(fits) for dim in spatial} if fits else {}


def _keeps_residues(extents: Collection[int], factor: int, step: int) -> bool:
    return all(dim % factor == 0 and (dim // factor - dim) % step == 0 for dim in extents)


def _step(nodes: Iterable[ir.Node], facts: Facts) -> int | None:
    """What strides and blocks come to, one behind the other; None where a scale is no integer."""
    step = 1
    for node in nodes:
        factors = [*attribute_of(node, "strides", ()), attribute_of(node, "blocksize", 1)]
        if is_op(node, "Resize", "Upsample"):
            scales = next(
                (c for v in node.inputs[1:] if (c := _floats(v, facts)) is not None), None
            )
            if scales is None or np.any(scales != np.rint(scales)):
                return None
        step *= math.lcm(*(int(factor) for factor in factors))
    return step


def _floats(value: ir.Value | None, facts: Facts) -> Constant | None:
    constant = facts.constant(value)
    return (
        constant if constant is not None and constant.dtype.kind == "f" and constant.size else None
    )


def has_open_extents(enters: Collection[ir.Value], facts: Facts, first: int = 1) -> bool:
    """Whether an axis from the `first` on has an extent that the graph does not state."""
    dims = (dim for value in enters for dim in (facts.dims(value) or ())[first:])
    return any(not isinstance(dim, int) for dim in dims)


def drawn(value: ir.Value, shape: tuple[int, ...], facts: Facts, turn: int = 0) -> Constant:
    """Random values of both signs; small integers where integers are wanted.

    Raises:
        CertificateError: there would be too many.
    """
    if int(np.prod(shape)) > _MOST:
        raise CertificateError(f"'{value.name}' of shape {shape} is too large to try")
    generator = np.random.default_rng((zlib.crc32((value.name or "").encode()), turn))
    dtype = facts.dtype(value)
    if dtype is not None and dtype not in FLOATS:
        return np.asarray(generator.integers(0, 2, shape).astype(dtype.numpy()))
    return generator.standard_normal(shape)
