"""A model as shape inference needs it: without large tensors, hints, or what it gets wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import onnx
import onnx_ir as ir

from bnfold.fold.facts.node import is_op, op_of
from bnfold.fold.facts.operator_facts import SIZED_BY
from bnfold.fold.numbers.affine import Dims
from bnfold.fresh_names import FreshNames

_STORED = 1024  # bytes: of larger tensors only those are told that are sizes
MOST_SIZES = 1 << 13  # entries of a tensor that decides sizes: a Split may have thousands of parts


@dataclass(frozen=True)
class Inferable:
    """What inference is told beyond the graph.

    Attributes:
        known: what is known of the inputs beyond what they declare, and of those of bodies.
        extent: for each open dimension of the inputs, the batch excepted, which becomes 2; None
            leaves them open.
        constants: what takes the place of the nodes that compute it.
        left_out: outputs of nodes that inference is not to look at, with their element type and
            their dimensions where they are known.
        names: for values whose name another one has too, in a body beside it.
    """

    known: Mapping[ir.Value, Dims] = field(default_factory=dict)
    extent: int | None = None
    constants: Mapping[ir.Value, onnx.TensorProto] = field(default_factory=dict)
    left_out: Mapping[ir.Value, tuple[ir.DataType | None, Dims | None]] = field(
        default_factory=dict
    )
    names: Mapping[ir.Value, str] = field(default_factory=dict)

    def name_of(self, value: ir.Value | None) -> str:
        """What inference calls the value; empty for an input that is left out."""
        return "" if value is None else self.names.get(value, value.name or "")


def own_names(graphs: Sequence[ir.Graph]) -> dict[ir.Value, str]:
    """A name for each value whose name stands for several: bodies beside one another may do that.

    Inference, to which what is left out of a body is an input of the model, would take one for the
    other.
    """
    if len(graphs) < 2:
        return {}
    values = dict.fromkeys(value for graph in graphs for value in values_of(graph))
    counts = Counter(value.name for value in values if value.name)
    fresh = FreshNames(name for name in counts if name)
    return {value: fresh(value.name) for value in values if value.name and counts[value.name] > 1}


def values_of(graph: ir.Graph) -> Iterator[ir.Value]:
    """What the graph is given, what it stores and what its nodes make."""
    yield from graph.inputs
    yield from graph.initializers.values()
    for node in graph:
        yield from node.outputs


def bare_proto(model: ir.Model, told: Inferable) -> onnx.ModelProto:
    """The model with its large tensors declared as inputs, and all inner shapes left to be found.

    Nodes that are left out are too: their outputs are inputs, declared as they are known.
    """
    opsets = [onnx.helper.make_opsetid(*item) for item in model.opset_imports.items()]
    bare = onnx.ModelProto(ir_version=model.ir_version, opset_import=opsets)
    bare.functions.extend(ir.serde.serialize_function(f) for f in model.functions.values())
    graph = bare.graph
    graph.name = model.graph.name or "graph"
    symbols: dict[str, int] = {}
    for value in model.graph.inputs:
        dims = told.known.get(value, dims_of_shape(value.shape))
        filled = dims if dims is None or told.extent is None else _filled(dims, told, symbols)
        graph.input.append(_info(value, filled, told))
    graph.output.extend(_info(value, None, told) for value in model.graph.outputs)
    for value in model.graph.initializers.values():
        if not value.is_graph_input() or (model.ir_version or 0) < 4:
            _add_initializer(graph, value, told)
    _add_nodes(graph, graph, model.graph, told)
    return bare


def dims_of_shape(shape: ir.Shape | None) -> Dims | None:
    """An onnx_ir shape as plain values; a negative extent, as some exporters write, is unknown."""
    if shape is None:
        return None
    plain = (d if isinstance(d, int) else d.value for d in shape)
    return tuple(None if isinstance(d, int) and d < 0 else d for d in plain)


def _filled(dims: Dims, told: Inferable, symbols: dict[str, int]) -> Dims:
    """Numbers in place of what is open; equal symbols, equal numbers."""
    sizes = []
    for axis, dim in enumerate(dims):
        plain = 2 if axis == 0 else told.extent
        named = symbols.setdefault(dim, plain or 1) if isinstance(dim, str) else plain
        sizes.append(dim if isinstance(dim, int) else named)
    return tuple(sizes)


def _info(value: ir.Value, dims: Dims | None, told: Inferable) -> onnx.ValueInfoProto:
    info = ir.serde.serialize_value(value)
    info.name = told.name_of(value)
    if info.type.HasField("tensor_type"):
        _set_shape(info.type.tensor_type, dims)
    return info


def _set_shape(kind: onnx.TypeProto.Tensor, dims: Dims | None) -> None:
    """The shape, or none, in place of what is declared."""
    kind.ClearField("shape")
    if dims is not None:
        kind.shape.SetInParent()
        kind.shape.dim.extend(_dim(dim) for dim in dims)


def _dim(dim: int | str | None) -> onnx.TensorShapeProto.Dimension:
    if isinstance(dim, int):
        return onnx.TensorShapeProto.Dimension(dim_value=dim)
    return onnx.TensorShapeProto.Dimension(dim_param=dim or None)


def _add_initializer(graph: onnx.GraphProto, value: ir.Value, told: Inferable) -> None:
    tensor = value.const_value
    if tensor is None or _is_left_out(value, tensor):
        if tensor is not None and not value.is_graph_input():
            graph.input.append(_declared(value, tensor, told))
        return
    stored = ir.serde.serialize_tensor(tensor)
    stored.name = told.name_of(value)
    graph.initializer.append(stored)


def _add_nodes(
    main: onnx.GraphProto, graph: onnx.GraphProto, source: ir.Graph, told: Inferable
) -> None:
    """The nodes of the source, or what stands for them: an input of the main graph."""
    for node in source:
        first = node.outputs[0] if node.outputs else None
        if first in told.left_out:
            main.input.extend(_stand_ins(node, told))
            continue
        if first is not None and first in told.constants:
            graph.initializer.append(told.constants[first])
            graph.initializer[-1].name = told.name_of(first)
            continue
        large = _large_constant(node)
        if large is not None and not node.outputs[0].is_graph_output():
            main.input.append(_declared(node.outputs[0], large, told))
            continue
        proto = ir.serde.serialize_node(node)
        if told.names:
            proto.input[:] = map(told.name_of, node.inputs)
            proto.output[:] = map(told.name_of, node.outputs)
        for attribute in proto.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                body = node.attributes[attribute.name].as_graph()
                _without_hints(attribute.g, body, told)
                _add_nodes(main, attribute.g, body, told)
        graph.node.append(proto)


def _stand_ins(node: ir.Node, told: Inferable) -> list[onnx.ValueInfoProto]:
    """The outputs of a node that is left out, where anything is known of them."""
    infos = []
    for value in node.outputs:
        dtype, dims = told.left_out[value]
        if dtype is not None and dims is not None and value.name:
            info = onnx.helper.make_tensor_value_info(told.name_of(value), int(dtype), ())
            info.type.tensor_type.shape.dim.extend(_dim(dim) for dim in dims)
            infos.append(info)
    return infos


def _without_hints(proto: onnx.GraphProto, body: ir.Graph, told: Inferable) -> None:
    """A body without its nodes, and without what it declares of shapes but where that is known."""
    del proto.value_info[:]
    del proto.node[:]
    ends = zip((*proto.input, *proto.output), (*body.inputs, *body.outputs), strict=True)
    for info, value in ends:
        info.name = told.name_of(value)
        if info.type.HasField("tensor_type"):
            _set_shape(info.type.tensor_type, told.known.get(value))
    for tensor in proto.initializer:
        tensor.name = told.name_of(body.initializers[tensor.name])


def _large_constant(node: ir.Node) -> ir.TensorProtocol | None:
    if not is_op(node, "Constant") or "value" not in node.attributes:
        return None
    tensor = node.attributes["value"].as_tensor()
    return tensor if _is_left_out(node.outputs[0], tensor) else None


def _is_left_out(value: ir.Value, tensor: ir.TensorProtocol) -> bool:
    """Whether it is large and no shape depends on it."""
    sizes = tensor.size <= MOST_SIZES and any(
        use.idx in SIZED_BY.get(op_of(use.node), ()) for use in value.uses()
    )
    return tensor.nbytes > _STORED and not sizes


def _declared(value: ir.Value, tensor: ir.TensorProtocol, told: Inferable) -> onnx.ValueInfoProto:
    extents = [int(d) for d in tensor.shape]  # type: ignore[arg-type]
    return onnx.helper.make_tensor_value_info(told.name_of(value), int(tensor.dtype), extents)
