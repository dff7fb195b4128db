"""Nodes that decide by real numbers: what they decide is shown, or given in its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import onnx_ir as ir

from bnfold.fold.facts.operator_facts import COMPARES
from bnfold.runtime.domains import DEFAULT_DOMAINS
from bnfold.verify.deciding import numbers_of
from bnfold.verify.grids import on_grid
from bnfold.verify.inference import dtypes_of
from bnfold.verify.subject import OnnxSubject

_WHOLE = frozenset({"Ceil", "Floor", "Round", "Sign"})
_PICKING = {"ArgMax": 0, "ArgMin": 0, "TopK": 1}
"""What picks, and which of its results says where."""

OPERAND = "operand "
"""The names of what is decided on begin so."""


@dataclass(frozen=True)
class InnerDecision:
    """A result of a node of the main graph, by index, and what it is made from.

    Attributes:
        node, output: where it is made.
        operands: the indices of the real numbers that it is made from.
        operator: what decides.
        dtype: of the result.
        read: of what it is made from.
    """

    node: int
    output: int
    operands: tuple[int, ...]
    operator: str
    dtype: ir.DataType
    read: ir.DataType

    @property
    def kind(self) -> object:
        """The same for decisions that may stand for each other."""
        return self.operator, self.operands, self.dtype


def decisions_of(model: ir.Model) -> list[InnerDecision]:
    """Those of the main graph that hang on what is fed, and not on a grid."""
    known, numbers = dtypes_of(model), numbers_of(model)
    grid = on_grid(model, known)
    found = []
    for index, node in enumerate(model.graph):
        output = _PICKING.get(node.op_type, 0)
        if node.domain not in DEFAULT_DOMAINS or len(node.outputs) <= output:
            continue
        read = [
            (i, dtype)
            for i, value in enumerate(node.inputs)
            if value in numbers
            and value not in grid
            and (dtype := known.get(value.name or "")) is not None
            and dtype.is_floating_point()
        ]
        dtype = known.get(node.outputs[output].name or "")
        if read and dtype is not None and _decides(node, dtype):
            operands = tuple(i for i, _ in read)
            found.append(InnerDecision(index, output, operands, node.op_type, dtype, read[0][1]))
    return found


def _decides(node: ir.Node, dtype: ir.DataType) -> bool:
    if node.op_type == "Cast":
        return dtype.is_integer()
    return node.op_type in COMPARES | _WHOLE or node.op_type in _PICKING


def show_decisions(model: ir.Model, decisions: Sequence[InnerDecision]) -> None:
    """From now on the model returns what it decides, after the rest."""
    nodes = list(model.graph)
    for index, each in enumerate(decisions):
        shown = ir.Value(name=f"decision {index}", type=ir.TensorType(each.dtype))
        made = nodes[each.node].outputs[each.output]
        model.graph.append(ir.node("Identity", [made], outputs=[shown]))
        model.graph.outputs.append(shown)


def given_decisions(
    subject: OnnxSubject, decisions: Sequence[InnerDecision], original: Sequence[InnerDecision]
) -> OnnxSubject:
    """The model that is fed what is decided, and returns what it decides itself, and on what.

    What it returns has the types that it has in the original.
    """
    found = subject.copy()
    nodes = list(found.model.graph)
    for index, (each, ours) in enumerate(zip(decisions, original, strict=True)):
        node = nodes[each.node]
        made, what = node.outputs[each.output], f"of {each.operator} {index}"
        made.dtype = each.dtype
        fed = ir.Value(name=f"fed {index}", type=ir.TensorType(each.dtype))
        for reader, place in list(made.uses()):
            reader.replace_input_with(place, fed)
        found.model.graph.inputs.append(fed)
        is_real = each.dtype.is_floating_point()
        found.copy_out(made, f"the result {what}", ir.DataType.INT64 if is_real else each.dtype)
        for operand in each.operands:
            value = node.inputs[operand]
            assert value is not None, "operands were looked at"
            value.dtype = each.read
            found.copy_out(value, f"{OPERAND}{operand} {what}", ours.read)
    return found
