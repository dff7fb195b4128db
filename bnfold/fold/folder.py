"""The loop of a fold: each source is asked about, proven, carried out, and accounted for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

import onnx_ir as ir

from bnfold.fold.account.entry import Entry, entries_of, kept_inside, made_entries
from bnfold.fold.account.fold_numbers import lost_bits, range_growth
from bnfold.fold.account.ledger import Decision, Ledger, numbers_of
from bnfold.fold.edit import clone
from bnfold.fold.edit.engine import Engine
from bnfold.fold.facts.graph import Facts
from bnfold.fold.facts.node import describe
from bnfold.fold.merge.merge import Merge
from bnfold.fold.merge.merger import Merger
from bnfold.fold.plan import Plan, Refusal, Rule
from bnfold.fold.proof.certificate import certify
from bnfold.fold.proof.trial import CertificateError
from bnfold.fold.question.asking import SKIPPED, Asking
from bnfold.fold.question.search import Search
from bnfold.fold.rules import PRICES, RULE_NAMES, RULES
from bnfold.fold.sources.inlining import inline_functions
from bnfold.fold.sources.left_alone import belongs_elsewhere
from bnfold.fold.sources.skipped import skipped_in
from bnfold.fold.sources.source import Source, source_of

_ROUNDS = 4  # a fold can open the way for a neighbour; more rounds than this never helped


@dataclass
class Folder:
    """Folds one model in place.

    Args:
        model: what is edited.
        allow: the priced rewrites that may be used.
        skip: names of nodes, or of rules, that are left alone.
        progress: told (done, total) as sources are dealt with.
    """

    model: ir.Model
    allow: frozenset[str] = frozenset()
    skip: frozenset[str] = frozenset()
    rules: Sequence[Rule] = RULES
    progress: Callable[[int, int], None] | None = None
    bugs: list[str] = field(default_factory=list)
    merges: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.kept_in_functions = inline_functions(self.model)
        self.skipped = skipped_in(self.model, self.skip, RULE_NAMES)
        self.facts = Facts(self.model)
        self.engine = Engine(self.facts)
        self.merger = Merger(self.facts, self.skipped)

    def run(self) -> Ledger:
        """Folds and merges until nothing changes, and gives the account."""
        entries = entries_of(self.model)
        self._settle(entries, frozenset())
        if self.allow:  # only now: nothing is paid for that a merge opens the way to
            self._settle(entries, self.allow)
        self._look_for_prices(entries)
        decisions = [d for e in entries if (d := self._decision(e)) is not None]
        decisions.extend(kept_inside(kept) for kept in self.kept_in_functions)
        return Ledger(tuple(decisions), tuple(self.merges), tuple(self.bugs))

    def _settle(self, entries: list[Entry], prices: frozenset[str]) -> None:
        """Folds and merges until nothing changes at these prices."""
        self.prices = prices
        self.search = self._search(prices)
        for _ in range(_ROUNDS):
            folded = self._round(entries)
            if not self._merge(entries) and not folded:
                break
            open_nodes = {entry.node for entry in entries if entry.decision is None}
            entries.extend(e for e in made_entries(self.model) if e.node not in open_nodes)

    def _search(self, prices: frozenset[str]) -> Search:
        return Search(Asking(self.facts, self.rules, prices, self.skipped))

    def _round(self, entries: Collection[Entry]) -> bool:
        changed = False
        by_node = {entry.node: entry for entry in entries}
        # arithmetic first, as a batch norm can take over what stands beside it
        for done, entry in enumerate(sorted(entries, key=lambda e: e.op != "affine")):
            if self.progress is not None:
                self.progress(done, len(entries))
            if entry.decision is None and entry.node.graph is not None:
                changed |= self._attempt(entry, by_node)
        return changed

    def _attempt(self, entry: Entry, by_node: dict[ir.Node, Entry]) -> bool:
        source = source_of(entry.node, self.facts)
        if source is None:
            return False
        if isinstance(source, Refusal):
            entry.refusals = (entry.at(source),)
            return False
        entry.channels = source.affine.entries
        entry.scales_channels = source.affine.has_scale and entry.channels > 1
        if self.skipped.has_node(entry.node):
            entry.refusals = (entry.at(SKIPPED),)
            return False
        refusal = belongs_elsewhere(source, self.facts)
        if refusal is not None:
            entry.refusals = (entry.at(refusal),)
            return False
        found = self._proven(source, entry, self.search)
        if isinstance(found, Plan):
            self._carry_out(found, source, entry, by_node)
            return True
        entry.refusals = found
        if clone.PRICE in self.prices and clone.can_clone(source.node, source.index):
            with clone.cloned(source.node, source.index, self.engine) as keep:
                found = self._proven(source, entry, self.search)
                if isinstance(found, Plan):
                    keep()
                    self._carry_out(found, source, entry, by_node)
        return entry.decision is not None

    def _proven(self, source: Source, entry: Entry, search: Search) -> Plan | tuple[Refusal, ...]:
        """The first plan that keeps its weights finite and its certificate; or all refusals."""
        refusals: list[Refusal] = []
        for found in search.candidates(source):
            refusal = found if isinstance(found, Refusal) else self._fault(found, entry.label)
            if isinstance(found, Plan) and refusal is None:
                return found
            if refusal is not None:
                refusals.append(entry.at(refusal))
        return tuple(dict.fromkeys(refusals))

    def _fault(self, plan: Plan, label: str) -> Refusal | None:
        """Why a plan that the algebra allows must not be carried out."""
        for exact in plan.fresh_constants:
            fault = exact.fault() if exact.dtype.is_floating_point() else None
            if fault is not None:
                return Refusal(
                    fault,
                    f"a folded weight would {fault} {exact.dtype.name.lower()}",
                    at=label,
                    advice="fold the model in float32, then convert it",
                )
        try:
            wrong = certify(plan, self.facts)
        except CertificateError as error:
            return Refusal("not-certified", f"the rewrite could not be proven: {error}", label)
        if wrong is None:
            return None
        self.bugs.append(f"{label}: {wrong}")
        return Refusal(
            "certificate-failed",
            f"the rewrite is wrong: {wrong}",
            at=label,
            advice="this is a bug in bnfold; please report it",
        )

    def _carry_out(
        self, plan: Plan, source: Source, entry: Entry, by_node: dict[ir.Node, Entry]
    ) -> None:
        into = tuple(describe(node) for node in plan.absorbers)
        lost = lost_bits(source, self.facts)
        growth = range_growth(plan, self.facts)
        gone = set(plan.passed_by)
        gone.add(entry.node)
        ours = sorted((n for n in gone if n in by_node), key=self.facts.order)
        affines = {n: source if n is entry.node else source_of(n, self.facts) for n in ours}
        self.engine.apply(plan)
        for node, found in affines.items():
            affine = found.affine if isinstance(found, Source) else source.affine
            numbers = numbers_of(affine, lost if node is entry.node else 0.0, growth)
            by_node[node].decision = by_node[node].folded(affine, plan, into, numbers)

    def _merge(self, entries: Collection[Entry]) -> bool:
        by_node = {entry.node: entry for entry in entries}
        return self.merger.run(lambda merge: self._carry_out_merge(merge, by_node))

    def _carry_out_merge(self, merge: Merge, by_node: dict[ir.Node, Entry]) -> bool:
        """Whether the merge was proven and made; affines that went with it are accounted for."""
        sentence = merge.sentence
        if self._fault(merge.plan, sentence) is not None:
            return False
        gone = [node for node in merge.parts if node in by_node and node is not merge.host]
        found = {node: source_of(node, self.facts) for node in gone}
        lost = {n: lost_bits(s, self.facts) for n, s in found.items() if isinstance(s, Source)}
        growth = range_growth(merge.plan, self.facts)
        self.engine.apply(merge.plan)
        self.merges.append(sentence)
        for node, source in found.items():
            if isinstance(source, Source):
                entry = by_node[node]
                numbers = numbers_of(source.affine, lost[node], growth)
                into = (describe(merge.host),)
                entry.decision = entry.folded(source.affine, merge.plan, into, numbers)
        return True

    def _look_for_prices(self, entries: Collection[Entry]) -> None:
        """Which allowance would have folded what is left."""
        for entry in entries:
            if entry.decision is not None or entry.op != "BatchNormalization":
                continue
            source = source_of(entry.node, self.facts)
            if not isinstance(source, Source) or self.skipped.has_node(entry.node):
                continue
            more = [p for p in PRICES if p not in self.allow]
            would = [p for p in more if self._would({p}, source, entry)]
            if not would and len(more) > 1 and self._would(set(more), source, entry):
                would = ["all"]
            entry.decision = entry.kept(tuple(would))

    def _would(self, prices: set[str], source: Source, entry: Entry) -> bool:
        """Whether allowing these rewrites more would fold the source."""
        search = self._search(self.allow | prices)
        if prices != {clone.PRICE} and isinstance(self._proven(source, entry, search), Plan):
            return True
        if clone.PRICE not in prices or not clone.can_clone(source.node, source.index):
            return False
        with clone.cloned(source.node, source.index, self.engine):
            return isinstance(self._proven(source, entry, search), Plan)

    def _decision(self, entry: Entry) -> Decision | None:
        if entry.is_made:
            return None
        if entry.decision is not None:
            return entry.decision
        if entry.op == "BatchNormalization" or (entry.scales_channels and entry.refusals):
            return entry.kept()
        return None
