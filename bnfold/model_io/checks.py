"""What a model must not have, because it is wrong or because it would be lost."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping

import onnx
import onnx_ir as ir

from bnfold.errors import ModelError
from bnfold.model_io import walk
from bnfold.runtime.domains import KNOWN_DOMAINS


def unknown_domains(model: ir.Model) -> list[str]:
    """The domains of operators that are neither ONNX's, nor onnxruntime's, nor the model's own."""
    known = {*KNOWN_DOMAINS, *(domain for domain, _, _ in model.functions)}
    used = {node.domain for graph in walk.bodies(model) for node in graph}
    return sorted(used - known)


def refuse_what_is_wrong(proto: onnx.ModelProto) -> None:
    """Returns if the model can be held, changed and written without losing or breaking anything.

    Raises:
        ModelError: It cannot; the message is one clause, without the model's name.
    """
    if not proto.HasField("graph"):
        raise ModelError("has no graph: it is not an ONNX model")
    if proto.training_info:
        raise ModelError("training_info would be lost; export the model for inference")
    if not proto.graph.node:
        raise ModelError("has no nodes")
    opsets = {_domain(o.domain): o.version for o in proto.opset_import}
    _check_graph(proto.graph, opsets, [])
    for function in proto.functions:
        own = {_domain(o.domain): o.version for o in function.opset_import}
        scope = set(function.input)
        if len(scope) != len(function.input):
            raise ModelError(f"function {function.name!r} has two inputs of the same name")
        _check_nodes(function.node, own, [scope], f"function {function.name!r}")
        _check_defined(function.output, scope, f"function {function.name!r}")


def _domain(domain: str) -> str:
    return "" if domain == "ai.onnx" else domain


def _check_graph(graph: onnx.GraphProto, opsets: Mapping[str, int], outer: list[set[str]]) -> None:
    where = f"graph {graph.name!r}"
    if graph.sparse_initializer:
        raise ModelError(f"{where}: sparse_initializer would be lost; store the tensor dense")
    scope: set[str] = set()
    for info in graph.input:
        _define(info.name, scope, "input", where)
    initializers: set[str] = set()
    for tensor in graph.initializer:
        _check_tensor(tensor)
        _define(tensor.name, initializers, "initializer", where)
    scope |= initializers
    _check_nodes(graph.node, opsets, [*outer, scope], where)
    _check_defined((o.name for o in graph.output), scope, where)
    for info in (*graph.input, *graph.output, *graph.value_info):
        _check_type(info.type, info.name)


def _define(name: str, scope: set[str], kind: str, where: str) -> None:
    if not name:
        raise ModelError(f"{where}: an {kind} has no name")
    if name in scope:
        raise ModelError(f"{where}: two {kind}s are called {name!r}")
    scope.add(name)


def _check_defined(names: Collection[str] | Iterator[str], scope: set[str], where: str) -> None:
    for name in names:
        if name not in scope:
            raise ModelError(f"{where}: the output {name!r} is computed by no node")


def _check_nodes(
    nodes: Collection[onnx.NodeProto],
    opsets: Mapping[str, int],
    scopes: list[set[str]],
    where: str,
) -> None:
    """Every operator's domain is imported, every name is defined once and before it is read."""
    for node in nodes:
        label = f"{where}: {node.op_type} {node.name!r}"
        if _domain(node.domain) not in opsets:
            domain = node.domain or "ai.onnx"
            raise ModelError(f"{label}: the operator domain {domain!r} is not imported")
        for name in node.input:
            if name and not any(name in scope for scope in scopes):
                later = any(name in other.output for other in nodes)
                why = "computed only later: sort the nodes" if later else "computed by no node"
                raise ModelError(f"{label} reads {name!r}, which is {why}")
        for attribute in node.attribute:
            _check_attribute(attribute, opsets, scopes, label)
        for name in node.output:
            if name and name in scopes[-1]:
                raise ModelError(f"{label} writes {name!r}, a name that is already taken")
            scopes[-1].add(name)


def _check_attribute(
    attribute: onnx.AttributeProto,
    opsets: Mapping[str, int],
    scopes: list[set[str]],
    label: str,
) -> None:
    if attribute.HasField("sparse_tensor") or attribute.sparse_tensors:
        raise ModelError(f"{label}: sparse tensors would be lost; store the tensor dense")
    for tensor in (*([attribute.t] if attribute.HasField("t") else ()), *attribute.tensors):
        _check_tensor(tensor)
    for graph in (*([attribute.g] if attribute.HasField("g") else ()), *attribute.graphs):
        _check_graph(graph, opsets, scopes)


def _check_type(proto: onnx.TypeProto, name: str) -> None:
    while (kind := proto.WhichOneof("value")) in ("sequence_type", "optional_type"):
        proto = getattr(proto, str(kind)).elem_type
    if kind in ("map_type", "opaque_type"):
        raise ModelError(f"the type of {name!r} is a {kind}, which would be lost")


def _check_tensor(tensor: onnx.TensorProto) -> None:
    """A tensor has a dtype, a shape, and as much data as they say."""
    label = f"tensor {tensor.name!r}"
    try:
        dtype = ir.DataType(tensor.data_type)
    except ValueError as error:
        raise ModelError(f"{label} has the unknown data type {tensor.data_type}") from error
    if dtype == ir.DataType.UNDEFINED:
        raise ModelError(f"{label} has no data type")
    if any(n < 0 for n in tensor.dims):
        raise ModelError(f"{label} has the negative shape {list(tensor.dims)}")
    if tensor.HasField("segment"):
        raise ModelError(f"{label} is stored in segments, which are not supported")
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        return
    size = math.prod(tensor.dims)
    if dtype == ir.DataType.STRING:
        found, needed = len(tensor.string_data), size
    elif tensor.HasField("raw_data"):
        found, needed = len(tensor.raw_data), -(-size * dtype.bitwidth // 8)
    else:
        found, needed = _typed_length(tensor, dtype), _typed_needed(size, dtype)
    if found != needed:
        raise ModelError(f"{label} of shape {list(tensor.dims)} holds {found} items, not {needed}")


def _typed_length(tensor: onnx.TensorProto, dtype: ir.DataType) -> int:
    data = (
        tensor.float_data,
        tensor.int32_data,
        tensor.int64_data,
        tensor.double_data,
        tensor.uint64_data,
    )
    return max(len(items) for items in data)


def _typed_needed(size: int, dtype: ir.DataType) -> int:
    if dtype in (ir.DataType.COMPLEX64, ir.DataType.COMPLEX128):
        return 2 * size
    if dtype.bitwidth < 8:
        return -(-size * dtype.bitwidth // 8)
    return size
