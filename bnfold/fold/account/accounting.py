"""The account while a fold goes on: what is open, what was decided, what went wrong."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import onnx_ir as ir

from bnfold.fold.account.allowance import Allowance
from bnfold.fold.account.entry import Entry, entries_of, gone_with, kept_inside, made_entries
from bnfold.fold.account.fold_numbers import lost_bits, range_growth
from bnfold.fold.account.ledger import Decision, Ledger, numbers_of
from bnfold.fold.account.size import Size
from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import describe
from bnfold.fold.plan import Plan
from bnfold.fold.sources.inlining import KeptInside
from bnfold.fold.sources.source import Source, source_of


@dataclass
class Account:
    """What becomes of each source of one model.

    Args:
        model: that is folded.
        kept_inside: batch norms of functions that stay closed.
        gone: batch norms that went with the body that an If never takes, each with the If.
    """

    model: ir.Model
    kept_inside: tuple[KeptInside, ...] = ()
    gone: tuple[tuple[ir.Node, str], ...] = ()
    merges: list[str] = field(default_factory=list)
    bugs: list[str] = field(default_factory=list)
    proofs: list[float] = field(default_factory=list)
    allowances: tuple[Allowance, ...] = ()
    entries: list[Entry] = field(init=False)
    _by_node: dict[ir.Node, Entry] = field(init=False)

    def __post_init__(self) -> None:
        self.entries = entries_of(self.model)
        self._by_node = {entry.node: entry for entry in self.entries}

    def report(self, bug: str) -> None:
        """Something went wrong on our side; it is told once."""
        if bug not in self.bugs:
            self.bugs.append(bug)

    def add_made(self) -> None:
        """What rewrites have put into the model is looked at too."""
        open_nodes = {entry.node for entry in self.entries if entry.is_open}
        made = made_entries(self.model)
        new = [entry for entry in made if entry.node not in open_nodes]
        self.entries.extend(new)
        self._by_node |= {entry.node: entry for entry in new}

    def told_by(
        self,
        plan: Plan,
        gone: Iterable[ir.Node],
        into: tuple[str, ...],
        facts: Facts,
        known: Source | None = None,
    ) -> list[tuple[Entry, Decision]]:
        """The decisions that a plan amounts to; asked before it is carried out, as nodes go.

        Args:
            plan: what will be done.
            gone: the nodes that go with it.
            into: the operators that take them, as messages name them.
            facts: of the model.
            known: the source that it is the plan of; None for a merge.
        """
        by_node = self._by_node
        growth = range_growth(plan, facts)
        decisions = []
        for node in sorted((node for node in gone if node in by_node), key=facts.order):
            is_known = known is not None and node is known.node
            source = known if is_known else source_of(node, facts)
            if isinstance(source, Source):
                numbers = numbers_of(source.affine, lost_bits(source, facts), growth)
                entry = by_node[node]
                decisions.append((entry, entry.folded(source.affine, plan, into, numbers)))
        return decisions

    def ledger(self, before: Size, after: Size) -> Ledger:
        """The account as it stands, of a model that had one size and has another."""
        decisions = [d for entry in self.entries if (d := _decision(entry)) is not None]
        decisions.extend(kept_inside(kept) for kept in self.kept_inside)
        decisions.extend(gone_with(node, scope) for node, scope in self.gone)
        return Ledger(
            tuple(decisions),
            tuple(self.merges),
            tuple(self.bugs),
            proofs=tuple(self.proofs),
            before=before,
            after=after,
            allowances=self.allowances,
        )


def decide(decisions: Iterable[tuple[Entry, Decision]], proof: float) -> None:
    """What was told beforehand has happened, and was proven so well."""
    for entry, decision in decisions:
        entry.decision = replace(decision, proof=proof)


def names_of(nodes: Iterable[ir.Node]) -> tuple[str, ...]:
    """The nodes as messages name them."""
    return tuple(describe(node) for node in nodes)


def _decision(entry: Entry) -> Decision | None:
    if entry.is_made:
        return None
    if entry.decision is not None:
        return entry.decision
    if not entry.is_open:
        return entry.gone() if entry.op == "BatchNormalization" else None
    if entry.op == "BatchNormalization" or (entry.scales_channels and entry.refusals):
        return entry.kept()
    return None
