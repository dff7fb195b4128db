"""Element types and shapes of the tensors of a graph, as far as inference tells; without a word."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import onnx
import onnx_ir as ir

from bnfold.fold.facts.inference_model import Inferable, bare_proto, values_of
from bnfold.runtime.inference import NotInferredError, infer_shapes


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
