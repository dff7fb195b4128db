"""A model as shape inference needs it: without large tensors, and without inner shapes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import onnx
import onnx_ir as ir

from bnfold.fold.numbers.affine import Dims

_STORED = 1024  # bytes: no shape depends on larger tensors, which are left out of the inference
_DEFAULT_DOMAINS = frozenset(("", "ai.onnx"))


def bare_proto(
    model: ir.Model, known: Mapping[ir.Value, Dims], extent: int | None = None
) -> onnx.ModelProto:
    """The model with its large tensors declared as inputs, and inner shapes left to be found.

    Shapes of custom operators' outputs stay, as nobody else knows them.

    Args:
        model: is not changed.
        known: what is known of the inputs beyond what they declare.
        extent: for each open dimension of the inputs, the batch excepted, which becomes 2; None
            leaves them open.
    """
    opsets = [onnx.helper.make_opsetid(*item) for item in model.opset_imports.items()]
    bare = onnx.ModelProto(ir_version=model.ir_version, opset_import=opsets)
    bare.functions.extend(ir.serde.serialize_function(f) for f in model.functions.values())
    graph = bare.graph
    graph.name = model.graph.name or "graph"
    symbols: dict[str, int] = {}
    for value in model.graph.inputs:
        dims = known.get(value, dims_of_shape(value.shape))
        filled = dims if dims is None or extent is None else _filled(dims, extent, symbols)
        graph.input.append(_info(value, filled))
    for value in model.graph.outputs:
        dims = dims_of_shape(value.shape)
        graph.output.append(_info(value, dims if extent is None else None))
    for value in model.graph.initializers.values():
        _add_initializer(graph, value)
    for node in model.graph:
        _add_node(graph, node)
    return bare


def dims_of_shape(shape: ir.Shape | None) -> Dims | None:
    """An onnx_ir shape as plain values; a negative extent, as some exporters write, is unknown."""
    if shape is None:
        return None
    plain = (d if isinstance(d, int) else d.value for d in shape)
    return tuple(None if isinstance(d, int) and d < 0 else d for d in plain)


def _filled(dims: Dims, extent: int, symbols: dict[str, int]) -> Dims:
    """Numbers in place of what is open; equal symbols, equal numbers."""
    sizes = []
    for axis, dim in enumerate(dims):
        plain = 2 if axis == 0 else extent
        named = symbols.setdefault(dim, plain) if isinstance(dim, str) else plain
        sizes.append(dim if isinstance(dim, int) else named)
    return tuple(sizes)


def _info(value: ir.Value, dims: Dims | None) -> onnx.ValueInfoProto:
    info = ir.serde.serialize_value(value)
    if info.type.HasField("tensor_type"):
        info.type.tensor_type.ClearField("shape")
        if dims is not None:
            shape = info.type.tensor_type.shape
            shape.SetInParent()
            for dim in dims:
                shape.dim.append(_dim(dim))
    return info


def _dim(dim: int | str | None) -> onnx.TensorShapeProto.Dimension:
    if isinstance(dim, int):
        return onnx.TensorShapeProto.Dimension(dim_value=dim)
    return onnx.TensorShapeProto.Dimension(dim_param=dim or None)


def _add_initializer(graph: onnx.GraphProto, value: ir.Value) -> None:
    tensor = value.const_value
    if tensor is None or tensor.nbytes > _STORED:
        if tensor is not None and not value.is_graph_input():
            graph.input.append(_declared(value, tensor))
        return
    stored = ir.serde.serialize_tensor(tensor)
    stored.name = value.name or ""
    graph.initializer.append(stored)


def _add_node(graph: onnx.GraphProto, node: ir.Node) -> None:
    large = _large_constant(node)
    if large is not None and not node.outputs[0].is_graph_output():
        graph.input.append(_declared(node.outputs[0], large))
        return
    proto = ir.serde.serialize_node(node)
    _forget_shapes(attribute.g for attribute in proto.attribute if attribute.HasField("g"))
    graph.node.append(proto)
    if node.domain not in _DEFAULT_DOMAINS:
        for value in node.outputs:
            if value.shape is not None and not value.is_graph_output():
                graph.value_info.append(_info(value, dims_of_shape(value.shape)))


def _large_constant(node: ir.Node) -> ir.TensorProtocol | None:
    if node.op_type != "Constant" or "value" not in node.attributes:
        return None
    tensor = node.attributes["value"].as_tensor()
    return tensor if tensor.nbytes > _STORED else None


def _declared(value: ir.Value, tensor: ir.TensorProtocol) -> onnx.ValueInfoProto:
    extents = [int(d) for d in tensor.shape]  # type: ignore[arg-type]
    return onnx.helper.make_tensor_value_info(value.name or "", int(tensor.dtype), extents)


def _forget_shapes(bodies: Iterable[onnx.GraphProto]) -> None:
    for body in bodies:
        del body.value_info[:]
        for node in body.node:
            _forget_shapes(attribute.g for attribute in node.attribute if attribute.HasField("g"))
