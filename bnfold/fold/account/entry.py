"""The sources of a model while a fold goes on, and the decisions that they end in."""

from __future__ import annotations

from dataclasses import dataclass, replace

import onnx_ir as ir

from bnfold.fold.account.ledger import Decision, Numbers
from bnfold.fold.facts.node import describe, graphs_of, is_op
from bnfold.fold.numbers.affine import Affine
from bnfold.fold.plan import Plan, Refusal
from bnfold.fold.sources.inlining import KeptInside
from bnfold.fold.sources.source import AFFINES


@dataclass
class Entry:
    """One node that may be an affine.

    Attributes:
        node: as it stands in the graph.
        name, output, scope, op: as a Decision has them.
        label: the node as messages name it.
        decision: None while it is open.
        refusals: why it could not be folded so far.
        channels: how many; None where not known.
        scales_channels: whether it scales channels by different numbers, as a batch norm does.
        would_fold_with: as a Decision has it.
        is_made: a rewrite put it there; the account is about the nodes of the caller.
    """

    node: ir.Node
    name: str
    output: str
    scope: str
    label: str
    op: str
    decision: Decision | None = None
    refusals: tuple[Refusal, ...] = ()
    channels: int | None = None
    scales_channels: bool = False
    is_made: bool = False
    would_fold_with: tuple[str, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether it still stands in the model, and nothing was decided of it."""
        return self.decision is None and self.node.graph is not None

    def at(self, refusal: Refusal) -> Refusal:
        """The refusal, at this node where it does not say where."""
        return Refusal(refusal.code, refusal.sentence, refusal.at or self.label, refusal.advice)

    def folded(
        self, affine: Affine, plan: Plan, into: tuple[str, ...], numbers: Numbers
    ) -> Decision:
        """The decision that it was folded."""
        return replace(
            self._decided("folded", affine.entries),
            direction=plan.direction,
            rules=plan.rules,
            into=into,
            numbers=numbers,
            price=plan.prices,
        )

    def kept(self) -> Decision:
        """The decision that it stays, for the reasons so far."""
        refusals = tuple(dict.fromkeys(self.refusals))
        decision = self._decided("kept", self.channels)
        return replace(decision, refusals=refusals, would_fold_with=self.would_fold_with)

    def gone(self, *rules: str) -> Decision:
        """The decision that it went with a rewrite, after which nobody read it any more."""
        return replace(self._decided("folded", self.channels), direction="merge", rules=rules)

    def _decided(self, status: str, channels: int | None) -> Decision:
        """The decision, without what is said of it further."""
        return Decision(self.name, self.op, self.output, self.scope, channels, status)


def entries_of(model: ir.Model) -> list[Entry]:
    """Every node of the model that may be an affine, in graph order, bodies behind their nodes."""
    scopes = _scopes(model.graph, "")
    return [_entry(n, scope) for graph, scope in scopes for n in graph if is_op(n, *AFFINES)]


def _entry(node: ir.Node, scope: str) -> Entry:
    output = node.outputs[0].name or ""
    op = "BatchNormalization" if is_op(node, "BatchNormalization") else "affine"
    return Entry(node, node.name or output, output, scope, describe(node), op)


def made_entries(model: ir.Model) -> list[Entry]:
    """Entries for arithmetic that rewrites have made: all there is, the caller's too."""
    return [replace(entry, is_made=True) for entry in entries_of(model) if entry.op == "affine"]


def _scopes(graph: ir.Graph, scope: str) -> list[tuple[ir.Graph, str]]:
    """Every graph with the name of the node whose body it is."""
    found = [(graph, scope)]
    for node in graph:
        for body in graphs_of(node):
            found.extend(_scopes(body, describe(node)))
    return found


def kept_inside(kept: KeptInside) -> Decision:
    """The decision about a batch norm whose function stays closed."""
    return replace(_entry(kept.node, kept.scope), refusals=(kept.refusal,)).kept()


def gone_with(node: ir.Node, scope: str) -> Decision:
    """The decision about a batch norm that went with the body that its If never takes."""
    return _entry(node, scope).gone("if")
