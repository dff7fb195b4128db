"""Sizes for the extents that inputs leave open, as a caller names them: NAME or INPUT:AXIS.

Extents of one name are one size, as ONNX has it. Only where a caller sizes one of them by its place
does it stand alone, for exporters write one name for extents that have nothing to do with each
other; and "?" is no name at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Integral

from bnfold.errors import UsageError
from bnfold.runtime.signature import TensorSpec

_NO_NAMES = frozenset(("", "?"))


@dataclass(frozen=True)
class Extent:
    """An extent of an input that the model leaves open; `rank` is the input's."""

    input: str
    axis: int
    rank: int
    name: str | None

    @property
    def place(self) -> str:
        """INPUT:AXIS."""
        return f"{self.input}:{self.axis}"

    @property
    def label(self) -> str:
        """What a person calls it: its name, or its place where it has none."""
        return self.name or self.place


def ranked(specs: Sequence[TensorSpec], dims: Mapping[str, int]) -> tuple[TensorSpec, ...]:
    """The inputs; one without a rank has as many axes as the caller sizes by place, if any."""
    return tuple(_ranked(spec, dims) if spec.dims is None else spec for spec in specs)


def _ranked(spec: TensorSpec, dims: Mapping[str, int]) -> TensorSpec:
    places = (key.rpartition(":") for key in dims)
    axes = {int(axis) for name, _, axis in places if name == spec.name and axis.isdecimal()}
    return replace(spec, dims=(None,) * (max(axes) + 1)) if axes else spec


def open_extents(specs: Sequence[TensorSpec]) -> list[Extent]:
    """Every extent that has to be chosen, in the order of the inputs.

    Raises:
        UsageError: an input has no rank.
    """
    found = []
    for spec in specs:
        if spec.dims is None:
            raise UsageError(
                f"input {spec.name!r} has no rank: give data for it, or a size for each axis "
                f"({spec.name}:0, {spec.name}:1, ...)"
            )
        for axis, dim in enumerate(spec.dims):
            if not isinstance(dim, int):
                name = None if dim in _NO_NAMES else dim
                found.append(Extent(spec.name, axis, len(spec.dims), name))
    return found


def chosen_sizes(
    extents: Sequence[Extent], dims: Mapping[str, int], choose: Callable[[Extent], int]
) -> dict[str, int]:
    """A size for every open extent, by place: the caller's, else that of its name, else a choice.

    `choose` is asked once for the extents of one name. The caller's `dims` are keyed by name or by
    place; a place that is sized sizes the others of its name too, unless the caller sizes them in
    several ways.

    Raises:
        UsageError: a key is no open extent, or a size is no positive integer.
    """
    _require_known(extents, dims)
    at_places: dict[str, set[int]] = {}
    for extent in extents:
        if extent.place in dims:
            at_places.setdefault(extent.label, set()).add(dims[extent.place])
    # Sizes that differ say that the extents share no more than a name: no other one follows them.
    by_name = {label: sizes.pop() for label, sizes in at_places.items() if len(sizes) == 1}
    by_name |= {e.name: dims[e.name] for e in extents if e.name is not None and e.name in dims}
    sizes = {}
    for extent in extents:
        if extent.place in dims:
            sizes[extent.place] = dims[extent.place]
            continue
        if extent.label not in by_name:
            by_name[extent.label] = choose(extent)
        sizes[extent.place] = by_name[extent.label]
    return sizes


def shape_of(spec: TensorSpec, sizes: Mapping[str, int]) -> tuple[int, ...]:
    """The shape of an input, its open extents sized by place."""
    return tuple(
        dim if isinstance(dim, int) else sizes[f"{spec.name}:{axis}"]
        for axis, dim in enumerate(spec.dims or ())
    )


def _require_known(extents: Sequence[Extent], dims: Mapping[str, int]) -> None:
    keys = [*dict.fromkeys(e.name for e in extents if e.name), *(e.place for e in extents)]
    for key, size in dims.items():
        if key not in keys:
            has = ", ".join(keys) or "none"
            raise UsageError(f"no input has a dynamic dimension {key!r}; it has {has}")
        # True is an Integral of Python's, and no size of anybody's.
        if isinstance(size, bool) or not isinstance(size, Integral) or size < 1:
            raise UsageError(f"dimension {key!r} cannot have size {size!r}")


def largest_picture(extents: Sequence[Extent], sizes: Mapping[str, int]) -> int:
    """How many numbers the open extents of one input come to at the most; sizes are by label."""
    found: dict[str, int] = {}
    for extent in extents:
        found[extent.input] = found.get(extent.input, 1) * sizes[extent.label]
    return max(found.values(), default=1)
