"""A model, graph by graph: names that work out, and everything in them what it says."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import onnx

from bnfold.errors import ModelError
from bnfold.model_io.gate.attributes import graphs_of, require_attribute
from bnfold.model_io.gate.functions import require_functions
from bnfold.model_io.gate.operator_counts import Operators, domain_of, require_counts
from bnfold.model_io.gate.tensors import require_tensor
from bnfold.model_io.gate.text import quoted, require_metadata, require_text
from bnfold.model_io.gate.types import require_value_info

_DEEPEST = 30  # graphs within graphs; protobuf reads 33


def refuse_what_is_wrong(proto: onnx.ModelProto) -> None:
    """Returns if the model can be held, changed and written without losing or breaking anything.

    Args:
        proto: our own copy; attributes without a type, as old files have them, get theirs.

    Raises:
        ModelError: It cannot; the message is one clause, without the model's name.
    """
    if not proto.HasField("graph"):
        raise ModelError("has no graph: it is not an ONNX model")
    if proto.training_info:
        raise ModelError("training_info would be lost; export the model for inference")
    if not proto.graph.node:
        raise ModelError("has no nodes")
    texts = (proto.producer_name, proto.producer_version, proto.domain, proto.doc_string)
    require_text("the model", "its producer, domain or documentation", *texts)
    require_metadata("the model", proto.metadata_props)
    opsets = _opsets(proto.opset_import, "the model")
    for function in proto.functions:
        _require_function_text(function)
    operators = Operators(proto)
    for configuration in proto.configuration:
        require_text("the model", "a device", configuration.name, *configuration.device)
    devices = frozenset(configuration.name for configuration in proto.configuration)
    _Scope(operators, opsets, devices, in_function=False).check_graph(proto.graph, [])
    for function in proto.functions:
        _check_function(function, operators, devices)
    require_functions(proto, opsets)


def _opsets(imports: Iterable[onnx.OperatorSetIdProto], where: str) -> dict[str, int]:
    opsets: dict[str, int] = {}
    for entry in imports:
        require_text(where, "the operator domain", entry.domain)
        domain = domain_of(entry.domain)
        if not 1 <= entry.version < 1 << 31:
            raise ModelError(
                f"{where}: imports version {entry.version} of {quoted(domain or 'ai.onnx')}"
            )
        if opsets.setdefault(domain, entry.version) != entry.version:
            raise ModelError(f"{where}: imports two versions of {quoted(domain or 'ai.onnx')}")
    return opsets


def _require_function_text(function: onnx.FunctionProto) -> None:
    if not function.name:
        raise ModelError("a function has no name")
    texts = (function.name, function.domain, function.overload, function.doc_string)
    names = (*function.input, *function.output, *function.attribute)
    require_text("a function", "a name or documentation", *texts, *names)


def _check_function(
    function: onnx.FunctionProto, operators: Operators, devices: frozenset[str]
) -> None:
    where = f"function {quoted(function.name)}"
    require_metadata(where, function.metadata_props)
    opsets = _opsets(function.opset_import, where)
    checks = _Scope(operators, opsets, devices, in_function=True)
    scope = set(function.input)
    if len(scope) != len(function.input):
        raise ModelError(f"{where} has two inputs of the same name")
    for attribute in function.attribute_proto:
        require_attribute(attribute, None, where, in_function=False)
        if attribute.HasField("t"):  # nobody looks for its file later
            require_tensor(attribute.t, where, may_be_external=False)
        if any(graphs_of(attribute)):
            raise ModelError(f"{where} has a graph as the default of an attribute")
    checks.check_nodes(function.node, [scope], where)
    check_defined(function.output, scope, where)
    for info in function.value_info:
        require_value_info(info, where)


def check_defined(names: Iterable[str], scope: Collection[str], where: str) -> None:
    """Each output is something.

    Raises:
        ModelError: one is computed by no node.
    """
    for name in names:
        if name not in scope:
            raise ModelError(f"{where}: the output {quoted(name)} is computed by no node")


@dataclass(frozen=True)
class _Scope:
    """What is looked up while a graph and all in it are checked."""

    operators: Operators
    opsets: Mapping[str, int]
    devices: frozenset[str]
    in_function: bool

    def check_graph(self, graph: onnx.GraphProto, outer: list[set[str]]) -> None:
        """The graph and all in it are such as can be kept: names, types, tensors, nodes.

        Raises:
            ModelError: they are not.
        """
        where = f"graph {quoted(graph.name)}"
        require_text(where, "its name or documentation", graph.name, graph.doc_string)
        require_metadata(where, graph.metadata_props)
        if len(outer) > _DEEPEST:
            raise ModelError(f"{where}: graphs stand in one another more than {_DEEPEST} deep")
        if graph.sparse_initializer:
            raise ModelError(f"{where}: sparse_initializer would be lost; store the tensor dense")
        scope: set[str] = set()
        for info in graph.input:
            _define(info.name, scope, "input", where)
        initializers: set[str] = set()
        for tensor in graph.initializer:
            require_tensor(tensor, where)
            _define(tensor.name, initializers, "initializer", where)
        scope |= initializers
        for info in (*graph.input, *graph.output, *graph.value_info):
            require_value_info(info, where)
        self.check_nodes(graph.node, [*outer, scope], where)
        check_defined((o.name for o in graph.output), scope, where)
        for annotation in graph.quantization_annotation:
            require_text(where, "a quantization annotation", annotation.tensor_name)
            require_metadata(where, annotation.quant_parameter_tensor_names)

    def check_nodes(
        self, nodes: Collection[onnx.NodeProto], scopes: list[set[str]], where: str
    ) -> None:
        """Every operator's domain is imported, every name is defined once and before it is read.

        Raises:
            ModelError: that is not so.
        """
        for node in nodes:
            label = f"{where}: {node.op_type} {quoted(node.name)}"
            self._check_node(node, scopes, label)
            for name in node.input:
                if name and not any(name in scope for scope in scopes):
                    later = any(name in other.output for other in nodes)
                    why = "computed only later: sort the nodes" if later else "computed by no node"
                    raise ModelError(f"{label} reads {quoted(name)}, which is {why}")
            for attribute in node.attribute:
                for graph in graphs_of(attribute):
                    self.check_graph(graph, scopes)
            for name in node.output:
                if name and name in scopes[-1]:
                    raise ModelError(f"{label} writes {quoted(name)}, a name that is already taken")
                scopes[-1].add(name)

    def _check_node(self, node: onnx.NodeProto, scopes: list[set[str]], label: str) -> None:
        texts = (node.op_type, node.name, node.domain, node.overload, node.doc_string)
        require_text(label, "a name or documentation", *texts, *node.input, *node.output)
        require_metadata(label, node.metadata_props)
        if not node.op_type:
            raise ModelError(f"{label}: a node has no operator")
        if domain_of(node.domain) not in self.opsets:
            domain = node.domain or "ai.onnx"
            raise ModelError(f"{label}: the operator domain {quoted(domain)} is not imported")
        for placed in node.device_configurations:
            require_text(label, "the name of a device configuration", placed.configuration_id)
            if placed.configuration_id not in self.devices:
                raise ModelError(
                    f"{label}: its device configuration {quoted(placed.configuration_id)} is "
                    "declared nowhere"
                )
        operator = self.operators.get(node, self.opsets)
        if operator is not None:
            require_counts(node, operator, label)
        for attribute in node.attribute:
            require_attribute(attribute, operator, label, in_function=self.in_function)


def _define(name: str, scope: set[str], kind: str, where: str) -> None:
    if not name:
        raise ModelError(f"{where}: an {kind} has no name")
    if name in scope:
        raise ModelError(f"{where}: two {kind}s are called {quoted(name)}")
    scope.add(name)
