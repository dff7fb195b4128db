"""What a merge rule answers."""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from bnfold.fold.facts.node import describe, op_of
from bnfold.fold.plan import Plan


@dataclass(frozen=True)
class Merge:
    """Several operators that can be one.

    Attributes:
        plan: what becomes of each node; its direction is the rule's name.
        host: the operator that stays and computes it all.
        parts: all operators that it stands for, itself among them, in graph order.
        told: what happened, in words; empty where they are one operator from then on.
    """

    plan: Plan
    host: ir.Node
    parts: tuple[ir.Node, ...]
    told: str = ""

    @property
    def sentence(self) -> str:
        """What happened, for the ledger; asked before the plan is carried out."""
        if self.told:
            return self.told
        *others, last = [describe(node) for node in self.parts]
        name = describe(self.host).removeprefix(op_of(self.host))
        new = self.plan.replaced[self.host].nodes[-1]
        return f"{', '.join(others)} and {last} are one {new.op_type}{name}"


def is_private(value: ir.Value) -> bool:
    """Whether one node of its own graph reads the value, and nobody else."""
    uses = value.uses()
    if len(uses) != 1 or value.is_graph_output():
        return False
    producer = value.producer()
    (use,) = uses
    return producer is not None and use.node.graph is producer.graph
