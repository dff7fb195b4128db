"""Nodes on which onnxruntime ends the process that runs it: such a model is not run, and told.

Seen in 1.32, each in a process of its own, by SIGABRT, SIGFPE or SIGSEGV: a GRU of an extent of 0,
an LSTM of an empty batch, an Einsum or Unique of nothing, attention without a hidden extent; and
where optimisations lay channels out in blocks, a pool of images of which no row of windows is left.
Which extents a run has is what onnx infers from those of its inputs; of what that does not tell
nothing is known here either. Pools are looked at in files up to a size: nearly all networks of
images have one, and a larger one is not read for that.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx.inliner import inline_local_functions

from bnfold import wire
from bnfold.runtime.file_search import as_written, holds
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

_IN_BLOCKS = ("AveragePool", "MaxPool")
_BLOCK = 8  # channels, on CPUs with AVX2; a multiple on others
_MOST_SIZES = 64  # in a tensor of sizes


def _has_no_row(node: onnx.NodeProto, shapes: Sequence[Shape]) -> bool:
    """Whether windows over [N, C, H, W] make [N, C, 0, ...], with C in blocks.

    The runtime divides towards zero: H + pads - reach, by the stride, is -1 there. A mean that
    counts padding with ceil_mode is computed elsewhere.
    """
    shape, told = shapes[0], {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    kernel, rows = told.get("kernel_shape", []), shape[2] if len(shape) == 4 else None
    if rows is None or not shape[1] or shape[1] % _BLOCK or len(kernel) != 2:
        return False
    is_elsewhere = told.get("count_include_pad", 0) and told.get("ceil_mode", 0)
    if is_elsewhere or told.get("auto_pad", b"NOTSET").startswith(b"SAME"):
        return False
    pads, stride = told.get("pads", [0] * 4), told.get("strides", [1, 1])[0]
    room = rows + pads[0] + pads[2] - (kernel[0] - 1) * told.get("dilations", [1, 1])[0] - 1
    return bool(-2 * stride < room <= -stride)


_UNREADABLE = (OSError, ValueError, RuntimeError, DecodeError, wire.MalformedError)


class FatalNodes:
    """Tells whether a run of a model would end the process.

    Args:
        source: a path, the bytes of a model, or a model.
        in_blocks: whether it is optimised so that channels may lie in blocks.
    """

    def __init__(self, source: str | bytes | onnx.ModelProto, *, in_blocks: bool = False) -> None:
        self._pools = _IN_BLOCKS if in_blocks else ()
        self._model = _suspect(source, self._pools)
        self._found: dict[object, str | None] = {}

    def reason(self, shapes: Mapping[str, Sequence[int]] | None = None) -> str | None:
        """Why the model must not be run, on inputs of these shapes or of those that it declares."""
        if self._model is None:
            return None
        key = None if shapes is None else tuple((n, tuple(s)) for n, s in sorted(shapes.items()))
        if key not in self._found:
            self._found[key] = _reason(self._model, shapes or {}, self._pools)
        return self._found[key]

    def reason_on(self, feeds: Mapping[str, Array]) -> str | None:
        """Why the model must not be run on these inputs."""
        if self._model is None:
            return None
        return self.reason({name: np.shape(array) for name, array in feeds.items()})


def _suspect(source: str | bytes | onnx.ModelProto, pools: Sequence[str]) -> onnx.ModelProto | None:
    """The model where it has an operator in question."""
    try:
        if not isinstance(source, onnx.ModelProto):
            if not holds(source, map(as_written, _FATAL), map(as_written, pools)):
                return None
            file = io.BytesIO(source) if isinstance(source, bytes) else source
            source = onnx.load(file, load_external_data=False)
            _drop_weights(source.graph)
        return inline_local_functions(source) if source.functions else source
    except _UNREADABLE:
        return None  # what is wrong with it onnxruntime says


def _drop_weights(graph: onnx.GraphProto) -> None:
    """What is no size is not carried through each inference."""
    for tensor in graph.initializer:
        if math.prod(tensor.dims) > _MOST_SIZES:
            tensor.ClearField("raw_data")
            tensor.ClearField("float_data")


def _reason(
    model: onnx.ModelProto, fed: Mapping[str, Sequence[int]], pools: Sequence[str]
) -> str | None:
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
        known = [shapes[name] for name in node.input if name in shapes]
        if node.input and node.input[0] in shapes and _is_fatal(node, known, pools):
            said = ", ".join(str(list(shape)) for shape in known)
            return f"onnxruntime ends the process on {node.op_type} '{node.output[0]}' of {said}"
    return None


def _is_fatal(node: onnx.NodeProto, shapes: Sequence[Shape], pools: Sequence[str]) -> bool:
    if node.op_type in pools:
        return _has_no_row(node, shapes)
    rule = _FATAL.get(node.op_type)
    return rule is not None and rule(shapes)


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
