"""What a node is to read through goes back to whatever makes it: to a node, or into a constant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import onnx_ir as ir

from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import describe, is_op, reads_of, scope_of
from bnfold.fold.facts.operator_facts import JOINS
from bnfold.fold.numbers.affine import Affine
from bnfold.fold.plan import PassBy, Refusal
from bnfold.fold.question.asking import NESTED
from bnfold.fold.question.present import changed, with_constant
from bnfold.fold.question.state import State

_RETURNED = Refusal("constant-branch", "one of its bodies returns a constant as it is")


class Requests:
    """Asks for affines on what nodes read.

    Args:
        facts: of the model.
    """

    def __init__(self, facts: Facts) -> None:
        self._facts = facts

    def make(self, state: State, node: ir.Node, passes: Mapping[int, Affine]) -> Refusal | None:
        """The node reads through these affines, which go back to what makes its inputs."""
        for index, affine in passes.items():
            if affine.is_identity:
                continue
            value = reads_of(node)[index]
            assert value is not None
            if self._facts.is_constant(value):
                refusal = self._change_constant(state, node, index, affine)
                if refusal is not None:
                    return refusal
                continue
            producer = value.producer()
            if producer is None:
                return _no_producer(value, node)
            if producer.graph is not scope_of(node, index):
                return replace(NESTED, at=describe(node))
            edge = (node, index)
            whole = affine.after(state.residue(edge, affine.rank))
            state.put(edge, whole, backward=True)
        return None

    def _change_constant(
        self, state: State, node: ir.Node, index: int, affine: Affine
    ) -> Refusal | None:
        if index >= len(node.inputs):
            return replace(_RETURNED, at=describe(node))
        exact = state.constants.get((node, index)) or self._facts.exact(node.inputs[index])
        fresh = changed(exact, affine, grows=is_op(node, *JOINS))
        if isinstance(fresh, Refusal):
            return replace(fresh, at=describe(node))
        step = state.steps.get(node)
        if isinstance(step, PassBy):
            state.set(state.constants, (node, index), fresh)
        else:
            state.set(state.steps, node, with_constant(node, step, index, fresh))
        return None


def _no_producer(value: ir.Value, node: ir.Node) -> Refusal:
    if value.is_initializer():
        return Refusal(
            "overridable-constant",
            f"'{value.name}' is an initializer that the caller may override",
            at=describe(node),
            advice="remove it from the graph's inputs to make it a constant",
        )
    return Refusal(
        "graph-input", f"'{value.name}' comes from outside the graph", at=f"input '{value.name}'"
    )
