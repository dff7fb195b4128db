"""Nodes on which onnxruntime ends the process that runs it: such a model is not run, and told.

Seen in 1.32, each in a process of its own, by SIGABRT, SIGFPE or SIGSEGV: a GRU of an extent of 0,
an LSTM of an empty batch, an Einsum or Unique of nothing, attention without a hidden extent. Which
extents a run has is what onnx infers from those of its inputs; of what that does not tell nothing
is known here either.
"""

from __future__ import annotations

import io
import mmap
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx.inliner import inline_local_functions

from bnfold.runtime.inference import NotInferredError, infer_shapes
from bnfold.runtime.signature import Array

Shape = Sequence[int | None]
Shapes = Mapping[str, Shape]


def _is_empty(shapes: Sequence[Shape]) -> bool:
    return any(0 in shape for shape in shapes)


def _is_first_empty(shapes: Sequence[Shape]) -> bool:
    return 0 in shapes[0]


def _has_no_batch(shapes: Sequence[Shape]) -> bool:
    return shapes[0][1:2] == [0]  # [time, batch, features]


def _has_no_features(shapes: Sequence[Shape]) -> bool:
    return shapes[0][-1:] == [0]


_FATAL: Mapping[str, Callable[[Sequence[Shape]], bool]] = {
    "GRU": _is_first_empty,
    "LSTM": _has_no_batch,
    "DynamicQuantizeLSTM": _has_no_batch,
    "Einsum": _is_empty,
    "Unique": _is_empty,
    "MultiHeadAttention": _has_no_features,
}
_AS_WRITTEN = [bytes([0x22, len(op)]) + op.encode() for op in _FATAL]
"""The field `op_type` of a node as protobuf writes it."""

_UNREADABLE = (OSError, ValueError, RuntimeError, DecodeError)


class FatalNodes:
    """Tells whether a run of a model would end the process.

    Args:
        source: a path, the bytes of a model, or a model.
    """

    def __init__(self, source: str | bytes | onnx.ModelProto) -> None:
        self._model = _suspect(source)
        self._found: dict[object, str | None] = {}

    def reason(self, shapes: Mapping[str, Sequence[int]] | None = None) -> str | None:
        """Why the model must not be run, on inputs of these shapes or of those that it declares."""
        if self._model is None:
            return None
        key = None if shapes is None else tuple((n, tuple(s)) for n, s in sorted(shapes.items()))
        if key not in self._found:
            self._found[key] = _reason(self._model, shapes or {})
        return self._found[key]

    def reason_on(self, feeds: Mapping[str, Array]) -> str | None:
        """Why the model must not be run on these inputs."""
        if self._model is None:
            return None
        return self.reason({name: np.shape(array) for name, array in feeds.items()})


def _suspect(source: str | bytes | onnx.ModelProto) -> onnx.ModelProto | None:
    """The model where it has an operator in question, which no model of convolutions has."""
    try:
        if not isinstance(source, onnx.ModelProto):
            if not _has_one(source):
                return None
            file = io.BytesIO(source) if isinstance(source, bytes) else source
            source = onnx.load(file, load_external_data=False)
        return inline_local_functions(source) if source.functions else source
    except _UNREADABLE:
        return None  # what is wrong with it onnxruntime says


def _has_one(source: str | bytes) -> bool:
    if isinstance(source, bytes):
        return any(field in source for field in _AS_WRITTEN)
    with (
        Path(source).open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as held,
    ):
        return any(held.find(field) >= 0 for field in _AS_WRITTEN)


def _reason(model: onnx.ModelProto, fed: Mapping[str, Sequence[int]]) -> str | None:
    sized = onnx.ModelProto()
    sized.CopyFrom(model)
    for value in sized.graph.input:
        if value.name in fed and value.type.HasField("tensor_type"):
            value.type.tensor_type.shape.ClearField("dim")
            for extent in fed[value.name]:
                value.type.tensor_type.shape.dim.add(dim_value=extent)
    try:
        graph = infer_shapes(sized).graph
    except NotInferredError:
        return None
    for node, shapes in _with_shapes(graph, {}):
        rule = _FATAL.get(node.op_type)
        known = [shapes[name] for name in node.input if name in shapes]
        if rule is not None and node.input and node.input[0] in shapes and rule(known):
            said = ", ".join(str(list(shape)) for shape in known)
            return f"onnxruntime ends the process on {node.op_type} '{node.output[0]}' of {said}"
    return None


def _with_shapes(graph: onnx.GraphProto, outer: Shapes) -> Iterator[tuple[onnx.NodeProto, Shapes]]:
    """Every node, and the shapes of what it may read."""
    shapes = dict(outer)
    for info in (*graph.input, *graph.value_info, *graph.output):
        if info.type.tensor_type.HasField("shape"):
            dims = info.type.tensor_type.shape.dim
            shapes[info.name] = [d.dim_value if d.HasField("dim_value") else None for d in dims]
    shapes |= {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    for node in graph.node:
        yield node, shapes
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from _with_shapes(inner, shapes)
