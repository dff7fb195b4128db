"""Local functions around batch norms are inlined, so that their constants can be seen."""

from __future__ import annotations

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
    inlined = _inlined(model)
    if inlined:
        for call in _calls(model):
            if call.op_identifier() in inlined:  # outputs that the call leaves out
                outputs = len(model.functions[call.op_identifier()].outputs)
                call.resize_outputs(max(outputs, len(call.outputs)))
        InlinePass(criteria=lambda function: function.identifier() in inlined)(model)
    return tuple(
        _kept(node, function)
        for function in model.functions.values()
        for node in function.all_nodes()
        if is_op(node, "BatchNormalization")
    )


def _graphs(model: ir.Model) -> list[ir.Graph | ir.Function]:
    return [model.graph, *model.functions.values()]


def _has_batch_norm(graph: ir.Graph | ir.Function) -> bool:
    return any(is_op(node, "BatchNormalization") for node in graph.all_nodes())


def _inlined(model: ir.Model) -> set[ir.OperatorIdentifier]:
    """The functions to inline: into the main graph or one another, never into another opset."""
    calls = {
        identifier: {node.op_identifier() for node in function.all_nodes()}
        for identifier, function in model.functions.items()
    }
    involved = {i for i, function in model.functions.items() if _is_involved(function)}
    for _ in calls:
        involved |= {i for i, called in calls.items() if called & involved}
    alien = {i for i, function in model.functions.items() if not _same_opsets(function, model)}
    alien |= {call.op_identifier() for call in _calls(model) if _passes_graphs(call)}
    stays = alien.union(*(calls[identifier] for identifier in alien))
    return involved - stays


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
