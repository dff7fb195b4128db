"""Which integers an input may hold, as far as the graph says: indices must fit their tables."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import onnx_ir as ir

from bnfold.runtime.bodies import bodies_of, taken_in
from bnfold.runtime.domains import DEFAULT_DOMAINS
from bnfold.runtime.signature import TensorSpec, numpy_dtype
from bnfold.runtime.tables import is_unchecked, reads_of

Bounds = Mapping[str, tuple[int, int]]

NARROW = (0, 1)

_HANDS_ON = frozenset(
    {"Cast", "Concat", "Expand", "Flatten", "Identity", "Reshape", "Slice", "Squeeze", "Transpose"}
    | {"Unsqueeze", "Gather", "Split", "Clip"}
)

_COMPUTES = frozenset({"Abs", "Add", "Max", "Min", "Mod", "Neg", "Sub", "Where"})
"""They make another index of an index: what comes of it is a row, if all goes well."""

_SIZE_OPERANDS: Mapping[str, tuple[int, ...]] = {
    "BlackmanWindow": (0,),
    "CenterCropPad": (1,),
    "Col2Im": (1, 2),
    "ConstantOfShape": (0,),
    "DFT": (1,),
    "Expand": (1,),
    "HammingWindow": (0,),
    "HannWindow": (0,),
    "Loop": (0,),
    "MaxUnpool": (2,),
    "MelWeightMatrix": (0, 1, 2),
    "OneHot": (1,),
    "Pad": (1,),
    "Range": (0, 1, 2),
    "Reshape": (1,),
    "Resize": (1, 2, 3),
    "Tile": (1,),
    "Upsample": (1,),
}
"""Operands that say how large a result is, or how long a loop runs: nothing large is fed there."""

FEW = (0, 8)
COUNTS = (0, 1000)
SIGNED = (-1000, 1000)
"""Where integers are drawn from: sizes; steps, levels and pixels; anything."""


def wide_bounds(
    models: Sequence[ir.Model], specs: Sequence[TensorSpec], bounds: Bounds, *, is_signed: bool
) -> Bounds:
    """`bounds`, where an integer input that is no index and no pixel may hold far more.

    A mask is 0 or 1, but a step of a diffusion is up to 1000, and 0 and 1 tell little of it. The
    graph does not say which one an input is, so both are tried; not all graphs take these.
    """
    found = dict(bounds)
    for spec in specs:
        # One byte is a pixel, and has its whole range already.
        if bounds.get(spec.name) != NARROW or numpy_dtype(spec.dtype).itemsize == 1:
            continue
        values = [_input(model, spec.name) for model in models]
        if not any(_table_sizes(value, set()) for value in values):
            tables = [rows for value in values for rows in _table_sizes(value, set(), _COMPUTES)]
            if tables:
                is_signed_id = is_signed and numpy_dtype(spec.dtype).kind == "i"
                found[spec.name] = -min(tables) if is_signed_id else 0, max(min(tables) - 1, 0)
                continue
            is_free = not any(_gives_a_size(value) for value in values)
            is_low = numpy_dtype(spec.dtype).kind == "u" or not is_signed
            found[spec.name] = (COUNTS if is_low else SIGNED) if is_free else FEW
    return found


def table_sizes(
    model: ir.Model, specs: Sequence[TensorSpec], *, with_computed: bool = False, kinds: str = "iu"
) -> dict[str, int]:
    """For each input of these kinds that indexes a table, how many rows of it there are to draw.

    An input that the model does not have indexes none.
    `with_computed`: also where another index is computed from it, and it may be any.
    """
    found, computing = {}, _COMPUTES if with_computed else frozenset[str]()
    values = {value.name: value for value in model.graph.inputs}
    for spec in specs:
        is_one = spec.name in values and spec.dtype != "string"
        if is_one and numpy_dtype(spec.dtype).kind in kinds:
            sizes = _table_sizes(values[spec.name], set(), computing)
            if sizes:
                found[spec.name] = min(sizes)
    return found


def goes_unchecked(model: ir.Model, name: str) -> bool:
    """Whether an operator reads rows by what comes of the input, and no runtime sees to it."""
    pending, seen = [_input(model, name)], set[ir.Value]()
    while pending:
        value = pending.pop()
        for node, _ in value.uses():
            if is_unchecked(node):
                return True
            more = {*node.outputs, *_through_bodies(value, node)} - seen
            seen |= more
            pending += more
    return False


def bounds_of(models: Sequence[ir.Model], specs: Sequence[TensorSpec]) -> Bounds:
    """For each integer input, the lowest and highest value that all the models can take."""
    found = {}
    for spec in specs:
        if spec.dtype != "string" and numpy_dtype(spec.dtype).kind in "iu":
            ranges = [integer_bounds(model, spec.name) for model in models]
            # The models are fed the same arrays, and an index has to be in the table of each.
            found[spec.name] = max(r[0] for r in ranges), min(r[1] for r in ranges)
    return found


def integer_bounds(model: ir.Model, name: str) -> tuple[int, int]:
    """The lowest and highest value to feed to an integer input of this name.

    The tightest table that the input indexes, see `tables`, decides;
    8-bit inputs that index nothing are pixels and take their whole range; others are 0 or 1.
    """
    value = _input(model, name)
    sizes = _table_sizes(value, set())
    if sizes:
        return 0, max(min(sizes) - 1, 0)
    dtype = numpy_dtype(value.dtype.name.lower()) if value.dtype is not None else np.dtype("int64")
    if dtype.itemsize == 1 and dtype.kind in "iu":
        info = np.iinfo(dtype)
        return int(info.min), int(info.max)
    return NARROW


def _input(model: ir.Model, name: str) -> ir.Value:
    return next(value for value in model.graph.inputs if value.name == name)


def _gives_a_size(value: ir.Value) -> bool:
    """Whether a size is computed from it, or an operator reads it that nobody here knows."""
    pending, seen = [value], {value}
    while pending:
        value = pending.pop()
        for node, index in value.uses():
            if node.domain not in DEFAULT_DOMAINS or index in _SIZE_OPERANDS.get(node.op_type, ()):
                return True
            for output in (*node.outputs, *_through_bodies(value, node)):
                # A size is an integer: what has become a real number is followed no further.
                if output not in seen and not (output.dtype and output.dtype.is_floating_point()):
                    seen.add(output)
                    pending.append(output)
    return False


def _table_sizes(value: ir.Value, seen: set[int], computing: Collection[str] = ()) -> list[int]:
    if id(value) in seen:
        return []
    seen.add(id(value))
    sizes: list[int] = []
    for node, index in value.uses():
        read = next((read for read in reads_of(node) if read.index == index), None)
        if read is not None:
            sizes += [] if read.rows is None else [read.rows]
        # Other inputs of what hands it on are sizes and places.
        elif node.op_type in computing or (node.op_type in _HANDS_ON and index == 0):
            for output in node.outputs:
                sizes += _table_sizes(output, seen, computing)
        for inner in _through_bodies(value, node):
            sizes += _table_sizes(inner, seen, computing)
    return sizes


def _through_bodies(value: ir.Value, node: ir.Node) -> list[ir.Value]:
    """What the value is called in the bodies that the node runs with it."""
    pairs = (pair for _, body in bodies_of(node) for pair in taken_in(node, body))
    return [inner for inner, operand in pairs if operand is value]
