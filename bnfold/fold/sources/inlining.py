"""Local functions are inlined, so that what they hold can be seen: a fold, those that it needs."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

import onnx_ir as ir
from onnx_ir.passes.common import InlinePass

from bnfold.fold.facts.node import describe, is_op
from bnfold.fold.facts.operator_facts import LINEAR
from bnfold.fold.plan import Refusal

_OPSET = Refusal(
    "function-opset",
    "it stands in a local function that uses other operator versions than the model",
    advice="convert the model to one opset first",
)


@dataclass(frozen=True)
class KeptInside:
    """A batch norm in a function that could not be inlined.

    Attributes:
        node: the batch norm.
        scope: the function, in words.
        refusal: why the function stays.
    """

    node: ir.Node
    scope: str
    refusal: Refusal


def inline_functions(model: ir.Model) -> tuple[KeptInside, ...]:
    """The model without the local functions that hold a batch norm, or what could absorb one.

    Returns:
        What was kept: the batch norms of functions that cannot be inlined, as the model and the
        function speak different versions of the operators.
    """
    if not model.functions or not any(_has_batch_norm(graph) for graph in _graphs(model)):
        return ()
    calls = _calls_by_function(model)
    involved = {i for i, function in model.functions.items() if _is_involved(function)}
    for _ in calls:
        involved |= {i for i, called in calls.items() if called & involved}
    _inline(model, involved - _staying(model))
    return tuple(
        _kept(node, function)
        for function in model.functions.values()
        for node in function.all_nodes()
        if is_op(node, "BatchNormalization")
    )


def inline_all(model: ir.Model) -> None:
    """The model without local functions, but for those that cannot be inlined.

    These speak other versions of the operators than the model, or get a graph as an attribute.
    """
    stays = _staying(model)
    for identifier, function in model.functions.items():
        if identifier not in stays:
            _end_in_nodes(function)
    _inline(model, model.functions.keys() - stays)


def _end_in_nodes(function: ir.Function) -> None:
    """What a function hands on is made by a node of it: outputs of the model keep their names."""
    made: set[ir.Value] = set()
    for index, value in enumerate(function.outputs):
        if value in made or value.producer() is None:
            node = ir.node("Identity", [value])
            function.append(node)
            function.outputs[index] = node.outputs[0]
        made.add(function.outputs[index])


def _inline(model: ir.Model, functions: Set[ir.OperatorIdentifier]) -> None:
    if not functions:
        return
    for call in _calls(model):
        if call.op_identifier() in functions:  # outputs that the call leaves out
            outputs = len(model.functions[call.op_identifier()].outputs)
            call.resize_outputs(max(outputs, len(call.outputs)))
    InlinePass(criteria=lambda function: function.identifier() in functions)(model)


def _graphs(model: ir.Model) -> list[ir.Graph | ir.Function]:
    return [model.graph, *model.functions.values()]


def _has_batch_norm(graph: ir.Graph | ir.Function) -> bool:
    return any(is_op(node, "BatchNormalization") for node in graph.all_nodes())


def _calls_by_function(
    model: ir.Model,
) -> dict[ir.OperatorIdentifier, set[ir.OperatorIdentifier]]:
    """What each function calls."""
    return {
        identifier: {node.op_identifier() for node in function.all_nodes()}
        for identifier, function in model.functions.items()
    }


def _staying(model: ir.Model) -> set[ir.OperatorIdentifier]:
    """The functions that cannot be inlined: those of another opset, and what these call."""
    calls = _calls_by_function(model)
    alien = {i for i, function in model.functions.items() if not _same_opsets(function, model)}
    alien |= {call.op_identifier() for call in _calls(model) if _passes_graphs(call)}
    return alien.union(*(calls[identifier] for identifier in alien))


def _is_involved(function: ir.Function) -> bool:
    """Whether it holds a batch norm, or an operator that could absorb one beside its calls."""
    return any(is_op(node, "BatchNormalization", *LINEAR) for node in function.all_nodes())


def _calls(model: ir.Model) -> list[ir.Node]:
    nodes = (node for graph in _graphs(model) for node in graph.all_nodes())
    return [node for node in nodes if node.op_identifier() in model.functions]


def _passes_graphs(call: ir.Node) -> bool:
    """Whether the function gets a graph as an attribute, which nothing can inline."""
    kinds = (ir.AttributeType.GRAPH, ir.AttributeType.GRAPHS)
    return any(attribute.type in kinds for attribute in call.attributes.values())


def _same_opsets(function: ir.Function, model: ir.Model) -> bool:
    imports = model.opset_imports
    return all(imports.get(d, version) == version for d, version in function.opset_imports.items())


def _kept(node: ir.Node, function: ir.Function) -> KeptInside:
    refusal = Refusal(_OPSET.code, _OPSET.sentence, describe(node), _OPSET.advice)
    return KeptInside(node, f"function '{function.name}'", refusal)
