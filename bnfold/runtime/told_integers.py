"""Integers as a network was exported with them: the longest of the lengths is that of the sequence.

A graph does not say so, and does not run on lengths of 0 and 1. The example inputs of the export
fit, and leave behind what they were, in the metadata of the model:

    bnfold.integers    {"lengths": {"low": 7, "high": "x:1"}}

The largest number was the extent of x along axis 1, and none was below 7. That is a hint and no
fact: who makes inputs up tries it beside what the graph itself allows, and never in place of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from bnfold.runtime.bounds import table_sizes
from bnfold.runtime.signature import Array, TensorSpec, numpy_dtype

KEY = "bnfold.integers"
_MOST = 1 << 20  # in magnitude: an integer may say how long a loop runs


@dataclass(frozen=True)
class IntegerRange:
    """From the lowest to the highest; with a place, INPUT:AXIS, the highest is the extent there."""

    low: int
    high: int
    place: str = ""


ToldIntegers = Mapping[str, IntegerRange]


def tell_integers(model: ir.Model, examples: Mapping[str, Array]) -> None:
    """The metadata of the model has what the example inputs tell of the integers among them.

    A number that is the extent of several inputs belongs to the first that is dynamic, if any.
    """
    is_fixed = {
        f"{value.name}:{axis}": isinstance(size, int)
        for value in model.graph.inputs
        for axis, size in enumerate(value.shape or ())
    }
    extents = [
        (f"{name}:{axis}", size)
        for name, array in examples.items()
        for axis, size in enumerate(array.shape)
        if axis and size > 1  # the first is the batch, which no number in a row of it tells
    ]
    extents.sort(key=lambda extent: is_fixed.get(extent[0], True))
    found = {}
    for name, array in examples.items():
        if array.dtype.kind in "iu" and array.size:
            low, high = int(array.min()), int(array.max())
            places = [place for place, size in extents if size == high]
            found[name] = {"low": low, "high": places[0] if places else high}
    if found:
        model.metadata_props[KEY] = json.dumps(found, sort_keys=True)


def told_integers(models: Iterable[ir.Model], specs: Sequence[TensorSpec]) -> ToldIntegers:
    """What the first of the models that says so says; nothing of inputs that index a table."""
    for model in models:
        found = _read(model.metadata_props.get(KEY, ""), specs)
        if found:
            tables = table_sizes(model, specs)
            return {name: told for name, told in found.items() if name not in tables}
    return {}


def as_told(
    arrays: Mapping[str, Array], told: ToldIntegers, rng: np.random.Generator
) -> dict[str, Array]:
    """The arrays, those of integers drawn anew as they are told, the highest among them."""
    found = dict(arrays)
    for name, one in told.items():
        if name not in arrays or not arrays[name].size:
            continue
        shape, dtype = arrays[name].shape, arrays[name].dtype
        high = _extent(arrays, one.place) if one.place else one.high
        low = min(one.low, high)
        drawn = rng.integers(low, high, shape, dtype=np.int64, endpoint=True)
        drawn.reshape(-1)[rng.integers(drawn.size)] = high
        found[name] = drawn.astype(dtype)
    return found


def _extent(arrays: Mapping[str, Array], place: str) -> int:
    name, _, axis = place.rpartition(":")
    return int(arrays[name].shape[int(axis)])


def _read(text: str, specs: Sequence[TensorSpec]) -> dict[str, IntegerRange]:
    """What is written; nothing of what makes no sense for these inputs: it may be anybody's."""
    try:
        entries = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(entries, dict):
        return {}
    ranks = {spec.name: len(spec.dims) for spec in specs if spec.dims is not None}
    places = [f"{name}:{axis}" for name, rank in ranks.items() for axis in range(rank)]
    found = {}
    for spec in specs:
        entry = entries.get(spec.name)
        if spec.name not in ranks or spec.dtype == "string" or not isinstance(entry, dict):
            continue
        low, high = _number(entry.get("low"), spec), _number(entry.get("high"), spec)
        place = entry.get("high")
        if low is not None and isinstance(place, str) and place in places:
            found[spec.name] = IntegerRange(low, low, place)
        elif low is not None and high is not None and low <= high:
            found[spec.name] = IntegerRange(low, high)
    return found


def _number(value: object, spec: TensorSpec) -> int | None:
    dtype = numpy_dtype(spec.dtype)
    if not isinstance(value, int) or isinstance(value, bool) or dtype.kind not in "iu":
        return None
    info = np.iinfo(dtype)
    return value if max(info.min, -_MOST) <= value <= min(info.max, _MOST) else None
