"""The loop of a fold: each source is asked about, folded where that can be, and told of."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import onnx_ir as ir

from bnfold.fold.account.accounting import Account, decide, names_of
from bnfold.fold.account.entry import Entry
from bnfold.fold.edit.rewriting import Rewriting
from bnfold.fold.equalize.equalizer import Equalizer
from bnfold.fold.facts.graph import Facts
from bnfold.fold.merge.merge import Merge
from bnfold.fold.merge.merger import Merger
from bnfold.fold.moves.absorb.weight_only import ROUNDING_KERNEL, leaves_to_round
from bnfold.fold.plan import EXCHANGE, MISTAKES, Plan, Refusal, told
from bnfold.fold.question.asking import SKIPPED, Asking, QuestionBudget
from bnfold.fold.question.memo import Memo
from bnfold.fold.question.search import Effort, Search
from bnfold.fold.question.unread import UnreadNodes
from bnfold.fold.rules import RULES
from bnfold.fold.sources.left_alone import belongs_elsewhere
from bnfold.fold.sources.skipped import Skipped
from bnfold.fold.sources.source import Source, source_of
from bnfold.fold.sources.zero_sign import sign_of_zero
from bnfold.progress import Progress

_ROUNDS = 16  # a fold can open the way for a neighbour; more rounds than this never helped


@dataclass(frozen=True)
class Folder:
    """Goes over the sources of one model until nothing changes.

    Attributes:
        facts: of the model.
        account: of the model.
        rewriting: what carries plans out.
        merger: what finds merges.
        skipped: what is left alone.
        progress: is told how far it has come.
        unread: the nodes that nobody reads.
        budget: what all questions together may cost.
        memo: searches in vain.
    """

    facts: Facts
    account: Account
    rewriting: Rewriting
    merger: Merger
    skipped: Skipped
    progress: Progress | None
    unread: UnreadNodes
    budget: QuestionBudget
    memo: Memo

    @staticmethod
    def of(
        model: ir.Model,
        account: Account,
        skipped: Skipped,
        budget: QuestionBudget,
        progress: Progress | None = None,
        largest: int | None = None,
    ) -> Folder:
        """A folder of the model, which has asked nothing yet; for `largest`, see Rewriting."""
        facts = Facts(model)
        rewriting = Rewriting(facts, account.report, largest)
        merger = Merger(facts, skipped, account.report)
        unread, memo = UnreadNodes(model), Memo()
        return Folder(facts, account, rewriting, merger, skipped, progress, unread, budget, memo)

    def settle(self, prices: frozenset[str]) -> None:
        """Folds and merges until nothing changes at these prices."""
        efforts = list(Effort)
        for _ in range(_ROUNDS):
            folded = self._round(prices, efforts.pop(0))
            if self.merger.run(self._carry_out_merge) or folded:
                efforts = list(Effort)
                self.account.add_made()
            elif not efforts:
                break

    def declined(self, prices: frozenset[str]) -> frozenset[str]:
        """The prices of what is on offer for what is left, settled at these prices."""
        answers = (
            self.memo.recall((entry.node, prices, effort))
            for entry in self.account.entries
            if entry.is_open
            for effort in Effort
        )
        return frozenset(price for found in answers if found for price in found.declined)

    def equalize(self) -> tuple[str, ...]:
        """The ranges of channels are evened out, and this is where."""
        asking = self._search(frozenset(), Effort.INVERSES).asking
        report, proofs = self.account.report, self.account.proofs
        return Equalizer(self.facts, asking, self.rewriting, report, proofs).run()

    def _search(self, prices: frozenset[str], effort: Effort) -> Search:
        report, skipped = self.account.report, self.skipped
        if effort is Effort.SIGNS:  # the last: what needs no exchange has been looked for
            prices |= {EXCHANGE}
        asking = Asking(self.facts, RULES, prices, skipped, report, self.unread, self.budget)
        return Search(asking, effort)

    def _round(self, prices: frozenset[str], effort: Effort) -> bool:
        search, changed = self._search(prices, effort), False
        # arithmetic first, as a batch norm can take over what stands beside it
        entries = sorted(self.account.entries, key=lambda entry: entry.op != "affine")
        for done, entry in enumerate(entries):
            if self.progress is not None:
                self.progress(done, len(entries), entry.label)
            if not entry.is_open:
                continue
            refusals = self._attempt(entry, search, (entry.node, prices, effort))
            changed |= refusals is None
            entry.refusals = refusals or entry.refusals  # one that goes further may say nothing
        return changed

    def _attempt(
        self, entry: Entry, search: Search, question: Hashable
    ) -> tuple[Refusal, ...] | None:
        """What kept the source; None where it was folded."""
        source = self._source(entry)
        if source is None:
            return ()
        refusal = source if isinstance(source, Refusal) else self._reason_to_leave(source, entry)
        if isinstance(source, Refusal) or refusal is not None:
            return () if refusal is None else (entry.at(refusal),)
        answered = self.memo.recall(question)
        if answered is not None:
            return answered.refusals
        search.asking.forget()
        refusals: dict[Refusal, None] = {}
        try:
            for found in search.candidates(source):
                refusal = (
                    self._carry_out(found, source, entry) if isinstance(found, Plan) else found
                )
                if refusal is None:
                    return None
                refusals[entry.at(refusal)] = None
        except MISTAKES as error:
            self.account.report(f"{entry.label}: the search failed: {told(error)}")
        self.memo.note(question, tuple(refusals), search.asking)
        return tuple(refusals)

    def _source(self, entry: Entry) -> Source | Refusal | None:
        """The affine that the node is; None where it is none, or where looking at it fails."""
        try:
            return source_of(entry.node, self.facts)
        except MISTAKES as error:
            self.account.report(f"{entry.label}: it could not be read: {told(error)}")
            return None

    def _reason_to_leave(self, source: Source, entry: Entry) -> Refusal | None:
        entry.channels = source.affine.entries
        entry.scales_channels = source.affine.has_scale and entry.channels > 1
        if self.skipped.has_node(entry.node):
            return SKIPPED
        return belongs_elsewhere(source, self.facts) or sign_of_zero(source, self.facts)

    def _carry_out(self, plan: Plan, source: Source, entry: Entry) -> Refusal | None:
        gone = {*plan.passed_by, *plan.removed, entry.node}
        if any(leaves_to_round(node, self.facts) for node in gone):
            return ROUNDING_KERNEL
        into = names_of(plan.absorbers)
        told = self.account.told_by(plan, gone, into, self.facts, source)
        self.memo.will_change(plan)
        proof = self.rewriting.carry_out(plan, entry.label)
        if isinstance(proof, Refusal):
            return proof
        self.account.proofs.append(proof)
        self.budget.carried_out(plan)
        decide(told, proof)
        return None

    def _carry_out_merge(self, merge: Merge) -> bool:
        """Whether the merge was made and proven; affines that went with it are accounted for."""
        try:
            return self._merged(merge)
        except MISTAKES as error:
            self.account.report(f"{merge.sentence}: it failed: {told(error)}")
            return False

    def _merged(self, merge: Merge) -> bool:
        sentence = merge.sentence
        gone = [node for node in merge.parts if node is not merge.host]
        moved = self.account.told_by(merge.plan, gone, names_of([merge.host]), self.facts)
        self.memo.will_change(merge.plan)
        proof = self.rewriting.carry_out(merge.plan, sentence)
        if isinstance(proof, Refusal):
            return False
        self.account.proofs.append(proof)
        self.account.merges.append(sentence)
        decide(moved, proof)
        return True
