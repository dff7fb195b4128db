"""Static dimensions of every value, found beside the graph: nothing is written into the model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

import onnx
import onnx_ir as ir

from bnfold.fold.facts.dictated_shapes import pin
from bnfold.fold.facts.inference_model import bare_proto, dims_of_shape
from bnfold.fold.numbers.affine import Dims

_SAME_SHAPE = frozenset(
    "Abs BatchNormalization Cast Clip Dropout Elu Erf Exp HardSigmoid HardSwish Identity "
    "LeakyRelu Log Mish Neg PRelu Relu Selu Sigmoid Softplus Sqrt Tanh".split()
)
_SAME_RANK = frozenset(
    "AveragePool GlobalAveragePool GlobalMaxPool InstanceNormalization MaxPool Pad Resize "
    "Upsample".split()
)


def concrete_dims(
    model: ir.Model, known: Mapping[ir.Value, Dims], extent: int
) -> dict[ir.Value, tuple[int, ...]]:
    """The shape of every value when each open dimension of the inputs is `extent`, the batch 2."""
    dims, _ = _inferred(model, known, extent)
    return {
        value: tuple(d for d in shape if isinstance(d, int))
        for value, shape in dims.items()
        if all(isinstance(d, int) and d > 0 for d in shape)
    }


def infer(model: ir.Model) -> tuple[dict[ir.Value, Dims], dict[ir.Value, ir.DataType]]:
    """The dimensions of each value, and the element type where the model does not state it.

    A dimension is an int, the name of a symbol, or None where nothing is known.

    Two dimensions with one symbol are equal. Declared shapes of intermediate values are believed
    only where inference has no answer (a custom operator's output).
    """
    found = _declared(model)
    dims, dtypes = _inferred(model, {})
    _settle(model, found, dims)
    if any(found.get(value) != dims_of_shape(value.shape) for value in model.graph.inputs):
        dims, dtypes = _inferred(model, found)  # weights told more of the inputs than they declare
        _settle(model, found, dims)
    return found, dtypes


def _settle(model: ir.Model, found: dict[ir.Value, Dims], dims: Mapping[ir.Value, Dims]) -> None:
    found.update(dims)
    for graph in model.graphs():
        _complete(graph, found)
        pin(graph, found)


def _values(graph: ir.Graph) -> Iterator[ir.Value]:
    yield from graph.inputs
    yield from graph.initializers.values()
    for node in graph:
        yield from node.outputs


def _declared(model: ir.Model) -> dict[ir.Value, Dims]:
    found: dict[ir.Value, Dims] = {}
    for graph in model.graphs():
        for value in _values(graph):
            tensor = value.const_value
            dims = dims_of_shape(value.shape if tensor is None else tensor.shape)  # type: ignore[arg-type]
            if dims is not None:
                found[value] = dims
    return found


def _inferred(
    model: ir.Model, known: Mapping[ir.Value, Dims], extent: int | None = None
) -> tuple[dict[ir.Value, Dims], dict[ir.Value, ir.DataType]]:
    """What `onnx.shape_inference` finds, for the graph without its large tensors."""
    try:
        proto = onnx.shape_inference.infer_shapes(bare_proto(model, known, extent), data_prop=True)
    except (onnx.shape_inference.InferenceError, ValueError, RuntimeError):
        return {}, {}  # only less is known: rules that need a shape refuse
    infos = list(_named_types(proto.graph))
    counts = Counter(value.name for graph in model.graphs() for value in _values(graph))
    # two branches of an If may use one name for two tensors: then the name tells nothing
    named = {info.name: info.type.tensor_type for info in infos if counts[info.name] == 1}
    found: dict[ir.Value, Dims] = {}
    dtypes: dict[ir.Value, ir.DataType] = {}
    for graph in model.graphs():
        for value in _values(graph):
            if value.const_value is not None or value.name not in named:
                continue
            tensor = named[value.name]
            if tensor.HasField("shape"):
                found[value] = tuple(_dim(d) for d in tensor.shape.dim)
            if value.dtype is None and tensor.elem_type:
                dtypes[value] = ir.DataType(tensor.elem_type)
    return found, dtypes


def _named_types(graph: onnx.GraphProto) -> Iterator[onnx.ValueInfoProto]:
    """Every tensor with its type, through nested graphs; names are unique across scopes."""
    for info in (*graph.input, *graph.value_info, *graph.output):
        if info.type.HasField("tensor_type"):
            yield info
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                yield from _named_types(attribute.g)


def _dim(dim: onnx.TensorShapeProto.Dimension) -> int | str | None:
    if dim.HasField("dim_value"):
        return dim.dim_value if dim.dim_value >= 0 else None
    return dim.dim_param or None


def _complete(graph: ir.Graph, found: dict[ir.Value, Dims]) -> None:
    """Ranks that follow from a Conv's weight where the network's input has none."""
    nodes = list(graph)
    for node in reversed(nodes):
        x = node.inputs[0] if node.inputs else None
        if x is None or x in found:
            continue
        out = found.get(node.outputs[0]) if node.outputs else None
        weight = _weight_dims(node, found)
        if weight is not None:
            found[x] = (None,) * len(weight)
        elif out is not None and node.op_type in _SAME_SHAPE:
            found[x] = out
        elif out is not None and node.op_type in _SAME_RANK:
            found[x] = (None,) * len(out)
    for node in nodes:
        if not node.outputs or node.outputs[0] in found or not node.inputs:
            continue
        dims = _output_dims(node, found)
        if dims is not None:
            found[node.outputs[0]] = dims


def _weight_dims(node: ir.Node, found: dict[ir.Value, Dims]) -> Dims | None:
    if node.op_type not in ("Conv", "ConvTranspose") or len(node.inputs) < 2:
        return None
    weight = node.inputs[1]
    return None if weight is None else found.get(weight)


def _output_dims(node: ir.Node, found: dict[ir.Value, Dims]) -> Dims | None:
    weight = _weight_dims(node, found)
    if weight is not None and node.op_type == "Conv":
        return (None, weight[0], *(None for _ in weight[2:]))
    if weight is not None:
        group = node.attributes["group"].as_int() if "group" in node.attributes else 1
        channels = weight[1] * group if isinstance(weight[1], int) else None
        return (None, channels, *(None for _ in weight[2:]))
    x = node.inputs[0]
    dims = None if x is None else found.get(x)
    if dims is not None and node.op_type in _SAME_SHAPE:
        return dims
    if dims is not None and node.op_type in _SAME_RANK:
        return (
            (*dims[:2], *(None for _ in dims[2:])) if node.op_type != "Pad" else (None,) * len(dims)
        )
    return None
