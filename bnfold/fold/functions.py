"""Local functions with batch norms in them are inlined, so that their constants can be seen."""

from __future__ import annotations

import onnx_ir as ir
from onnx_ir.passes.common import InlinePass

from bnfold.fold.graph import describe, is_op
from bnfold.fold.ledger import Decision
from bnfold.fold.plan import Refusal

_OPSET = Refusal(
    "function-opset",
    "it stands in a local function that uses other operator versions than the model",
    advice="convert the model to one opset first",
)


def inline_functions(model: ir.Model) -> tuple[Decision, ...]:
    """The model without local functions, if one of them has a batch norm.

    Returns:
        What was kept: the batch norms of functions that cannot be inlined, as the model and the
        function speak different versions of the operators.
    """
    if not any(_batch_norms(function) for function in model.functions.values()):
        return ()
    if all(_same_opsets(function, model) for function in model.functions.values()):
        InlinePass()(model)
        return ()
    return tuple(
        _kept(node, function)
        for function in model.functions.values()
        for node in _batch_norms(function)
    )


def _batch_norms(function: ir.Function) -> list[ir.Node]:
    return [node for node in function.all_nodes() if is_op(node, "BatchNormalization")]


def _same_opsets(function: ir.Function, model: ir.Model) -> bool:
    imports = model.opset_imports
    return all(imports.get(d, version) == version for d, version in function.opset_imports.items())


def _kept(node: ir.Node, function: ir.Function) -> Decision:
    refusal = Refusal(_OPSET.code, _OPSET.sentence, describe(node), _OPSET.advice)
    name = node.name or node.outputs[0].name or ""
    output = node.outputs[0].name or ""
    scope = f"function '{function.name}'"
    return Decision(
        name, "BatchNormalization", output, scope, None, status="kept", refusals=(refusal,)
    )
