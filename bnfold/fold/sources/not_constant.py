"""Why an operand that would have to be a constant is none."""

from __future__ import annotations

import onnx_ir as ir

from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.origin import origin_of
from bnfold.fold.plan import Refusal


def not_constant(value: ir.Value | None, facts: Facts, what: str, code: str) -> Refusal:
    """Why the operand is no constant that could take an affine.

    Args:
        value: the operand.
        facts: of the model.
        what: it is called in messages: "weight".
        code: where it depends on what is fed: "dynamic-weight".
    """
    if value is None:
        return Refusal(code, f"its {what} is left out")
    if facts.dequantized(value) is not None:
        return Refusal(
            "quantised-axis", f"its {what} is quantised, and its scales cannot take this"
        )
    origin = origin_of(value, facts)
    if origin.default:
        return Refusal(
            "overridable-constant",
            f"its {what} can be overridden by the caller: '{origin.default}' is an input of the "
            "graph too",
            advice="remove it from the graph's inputs",
        )
    if origin.operator:
        return Refusal(
            "constant-not-computed",
            f"its {what} is constant, made by {origin.operator}, which bnfold does not compute",
            advice="fold constants first (--simplify)",
        )
    return Refusal(code, f"its {what} is computed at run time")
