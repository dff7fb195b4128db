"""The original in half precision: what a half-precision copy of it is judged by, if that is asked.

A float16 copy of a float32 model is off by a thousand times the original's own rounding error, and
may be just what was wanted. Asked for float16, the yardstick is the error of the original as half
precision would compute it, against the same float64 reference of the original as it is:

    weights      rounded to half precision, those beyond its range to its largest number
    activations  each float32 that is fed or made from what is fed, there and back

Sums stay in float32, as runtimes add up half precision. Copies have weights that are rounded once
more, as everywhere, by an ulp of half precision.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import ml_dtypes
import numpy as np
import onnx_ir as ir

from bnfold.errors import UsageError
from bnfold.runtime.signature import Array
from bnfold.verify.deciding import numbers_of
from bnfold.verify.inference import dtypes_of

HALVES: Mapping[str, ir.DataType] = {
    "float16": ir.DataType.FLOAT16,
    "bfloat16": ir.DataType.BFLOAT16,
}
"""What a model may be judged as."""


def half_of(name: str) -> ir.DataType:
    """The type of this name.

    Raises:
        UsageError: it is no half precision.
    """
    if name not in HALVES:
        raise UsageError(f"a model is judged as {' or '.join(HALVES)}, not as {name!r}")
    return HALVES[name]


def ulp_of_half(half: ir.DataType) -> float:
    """The gap between 1 and the next number."""
    return float(ml_dtypes.finfo(half.numpy()).eps)  # type: ignore[no-untyped-call]


def in_half(weight: Array, half: ir.DataType) -> Array:
    """The numbers in half precision; finite ones stay finite."""
    most = float(ml_dtypes.finfo(half.numpy()).max)  # type: ignore[no-untyped-call]
    is_finite = np.isfinite(weight)
    clipped = np.where(is_finite, np.clip(weight, -most, most), weight)
    return np.asarray(clipped.astype(half.numpy()))


def round_activations(model: ir.Model, half: ir.DataType) -> None:
    """The graph, changed: every float32 that depends on what is fed is rounded to half precision.

    Bodies of If, Loop and Scan and local functions stay as they are, but for what they give.
    """
    known, numbers = dtypes_of(model), numbers_of(model)
    for count, value in enumerate(list(_values(model.graph))):
        if value in numbers and known.get(value.name or "") == ir.DataType.FLOAT:
            _round(model.graph, value, half, f"half {count}")


def _values(graph: ir.Graph) -> Iterator[ir.Value]:
    yield from graph.inputs
    for node in graph:
        yield from node.outputs


def _round(graph: ir.Graph, value: ir.Value, half: ir.DataType, name: str) -> None:
    readers, places = list(value.uses()), _places(graph, value)
    narrow = ir.node("Cast", [value], {"to": half})
    narrow.outputs[0].name = f"{name} narrow"
    rounded = ir.Value(name=name, type=ir.TensorType(ir.DataType.FLOAT), shape=value.shape)
    wide = ir.node("Cast", narrow.outputs, {"to": ir.DataType.FLOAT}, outputs=[rounded])
    producer = value.producer()
    if producer is None:
        graph.insert_before(graph[0], (narrow, wide))
    else:
        graph.insert_after(producer, (narrow, wide))
    for node, index in readers:
        node.replace_input_with(index, rounded)
    if places and producer is not None:
        value.name, rounded.name = f"{value.name} before {name}", value.name
        for place in places:
            graph.outputs[place] = rounded


def _places(graph: ir.Graph, value: ir.Value) -> list[int]:
    return [index for index, output in enumerate(graph.outputs) if output is value]
