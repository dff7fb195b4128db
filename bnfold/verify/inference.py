"""Element types and shapes of the tensors of a graph, as far as inference tells; without a word."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import onnx
import onnx_ir as ir

from bnfold.fold.facts.inference_model import Inferable, bare_proto, dims_of_shape, values_of
from bnfold.runtime.inference import NotInferredError, infer_shapes

_BATCH = 2


@dataclass(frozen=True)
class Inferred:
    """What is known of a tensor; an open extent is 1, and none are given where the rank is open."""

    dtype: ir.DataType | None
    extents: tuple[int, ...]


def inferred_of(model: ir.Model) -> Mapping[str, Inferred]:
    """The tensors of the main graph by name; what the model itself says goes before."""
    found = {name: Inferred(_dtype(kind), _extents(kind)) for name, kind in _types(model)}
    for value in values_of(model.graph):
        inferred = found.get(value.name or "", Inferred(None, ()))
        dtype = value.dtype if value.dtype is not None else inferred.dtype
        found[value.name or ""] = Inferred(dtype, _stated(value) or inferred.extents)
    return found


def elements_at(model: ir.Model, sizes: Mapping[str, int]) -> int:
    """How many numbers the tensors of the main graph have together where inputs have these extents.

    `sizes` are by INPUT:AXIS. What is open else counts as a batch of 2 where the
    inputs name it, and as the largest of the sizes where only inference does, or nobody; 0 where
    the model contradicts itself.
    """
    known, symbols = {}, set[str]()
    for value in model.graph.inputs:
        dims = dims_of_shape(value.shape) or ()
        symbols.update(dim for dim in dims if isinstance(dim, str))
        at = (sizes.get(f"{value.name}:{axis}", dim) for axis, dim in enumerate(dims))
        known[value] = tuple(at)
    try:
        graph = infer_shapes(bare_proto(model, Inferable(known))).graph
    except NotInferredError:
        return 0
    largest = max(sizes.values())
    kinds = (info.type.tensor_type for info in (*graph.value_info, *graph.output))
    return sum(
        math.prod(
            dim.dim_value or (_BATCH if dim.dim_param in symbols else largest)
            for dim in kind.shape.dim
        )
        for kind in kinds
    )


def dtypes_of(model: ir.Model) -> Mapping[str, ir.DataType]:
    """The element types of the tensors of the main graph that are known, by name."""
    return {name: known.dtype for name, known in inferred_of(model).items() if known.dtype}


def is_integer(value: ir.Value, known: Mapping[str, ir.DataType]) -> bool:
    """Whether its type is known, and one of integers."""
    dtype = known.get(value.name or "")
    return dtype is not None and dtype.is_integer()


def _types(model: ir.Model) -> Iterator[tuple[str, onnx.TypeProto.Tensor]]:
    bare = bare_proto(model, Inferable())  # without what a graph states, which may be stale
    try:
        graph = infer_shapes(bare).graph
    except NotInferredError:
        return
    for info in (*graph.input, *graph.value_info, *graph.output):
        if info.type.HasField("tensor_type"):
            yield info.name, info.type.tensor_type


def _dtype(kind: onnx.TypeProto.Tensor) -> ir.DataType | None:
    return ir.DataType(kind.elem_type) if kind.elem_type else None


def _extents(kind: onnx.TypeProto.Tensor) -> tuple[int, ...]:
    return tuple(dim.dim_value if dim.dim_value > 0 else 1 for dim in kind.shape.dim)


def _stated(value: ir.Value) -> tuple[int, ...]:
    if value.shape is None:
        return ()
    return tuple(dim if isinstance(dim, int) else 1 for dim in value.shape)
