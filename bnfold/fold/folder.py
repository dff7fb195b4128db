"""The loop of a fold: each source is asked about, proven, carried out, and accounted for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir

from bnfold.fold.affine import Affine
from bnfold.fold.certificate import certify
from bnfold.fold.engine import Engine
from bnfold.fold.exact import Exact
from bnfold.fold.functions import inline_functions
from bnfold.fold.graph import Facts, describe, is_op
from bnfold.fold.ledger import Decision, Ledger, Numbers, numbers_of
from bnfold.fold.merge.found import Merge
from bnfold.fold.merge.merger import Merger
from bnfold.fold.plan import Plan, Refusal, Rule
from bnfold.fold.priced import clone
from bnfold.fold.rules import PRICES, RULES
from bnfold.fold.search import Search
from bnfold.fold.sources import Source, source_of
from bnfold.fold.trial import CertificateError

_SOURCE_OPS = ("BatchNormalization", "Mul", "Div", "Add", "Sub")
_ROUNDS = 4  # a fold can open the way for a neighbour; more rounds than this never helped
_SKIPPED = Refusal("skipped", "it was asked to stay as it is")


@dataclass
class _Entry:
    """One source while the fold goes on."""

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
        self.facts = Facts(self.model)
        self.engine = Engine(self.facts)
        self.merger = Merger(self.facts, self.skip)

    def run(self) -> Ledger:
        """Folds and merges until nothing changes, and gives the account."""
        entries = list(self._entries())
        self._settle(entries, frozenset())
        if self.allow:  # only now: nothing is paid for that a merge opens the way to
            self._settle(entries, self.allow)
        self._look_for_prices(entries)
        decisions = [d for e in entries if (d := self._decision(e)) is not None]
        decisions.extend(self.kept_in_functions)
        return Ledger(tuple(decisions), tuple(self.merges), tuple(self.bugs))

    def _settle(self, entries: Collection[_Entry], prices: frozenset[str]) -> None:
        """Folds and merges until nothing changes at these prices."""
        self.prices = prices
        self.search = Search(self.facts, self.rules, prices, self.skip)
        for _ in range(_ROUNDS):
            folded = self._round(entries)
            if not self._merge(entries) and not folded:
                break

    def _entries(self) -> Collection[_Entry]:
        entries = []
        for graph, scope in _scopes(self.model.graph, ""):
            for node in graph:
                if is_op(node, *_SOURCE_OPS):
                    name = node.name or node.outputs[0].name or ""
                    output = node.outputs[0].name or ""
                    entries.append(_Entry(node, name, output, scope, describe(node), _op(node)))
        return entries

    def _round(self, entries: Collection[_Entry]) -> bool:
        changed = False
        by_node = {entry.node: entry for entry in entries}
        # arithmetic first, as a batch norm can take over what stands beside it
        for done, entry in enumerate(sorted(entries, key=lambda e: e.op != "affine")):
            if self.progress is not None:
                self.progress(done, len(entries))
            if entry.decision is None and entry.node.graph is not None:
                changed |= self._attempt(entry, by_node)
        return changed

    def _attempt(self, entry: _Entry, by_node: dict[ir.Node, _Entry]) -> bool:
        source = source_of(entry.node, self.facts)
        if source is None:
            return False
        if isinstance(source, Refusal):
            entry.refusals = (_at(source, entry),)
            return False
        entry.channels = max(source.affine.extents)
        entry.scales_channels = source.affine.has_scale and entry.channels > 1
        if entry.name in self.skip:
            entry.refusals = (_at(_SKIPPED, entry),)
            return False
        refusal = _not_ours(source, self.facts)
        if refusal is not None:
            entry.refusals = (_at(refusal, entry),)
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

    def _proven(self, source: Source, entry: _Entry, search: Search) -> Plan | tuple[Refusal, ...]:
        """The first plan that keeps its weights finite and its certificate; or all refusals."""
        refusals: list[Refusal] = []
        for found in search.candidates(source):
            refusal = found if isinstance(found, Refusal) else self._fault(found, entry.label)
            if isinstance(found, Plan) and refusal is None:
                return found
            if refusal is not None:
                refusals.append(_at(refusal, entry))
        return tuple(dict.fromkeys(refusals))

    def _fault(self, plan: Plan, label: str) -> Refusal | None:
        """Why a plan that the algebra allows must not be carried out."""
        for exact in _constants(plan):
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
        self, plan: Plan, source: Source, entry: _Entry, by_node: dict[ir.Node, _Entry]
    ) -> None:
        into = tuple(describe(node) for node in plan.absorbers)
        lost = _lost_bits(source, self.facts)
        growth = _range_growth(plan, self.facts)
        gone = {node for node, step in plan.steps.items() if step.drops is not None}
        gone.add(entry.node)
        ours = sorted((n for n in gone if n in by_node), key=self.facts.order)
        affines = {n: source if n is entry.node else source_of(n, self.facts) for n in ours}
        self.engine.apply(plan)
        for node, found in affines.items():
            affine = found.affine if isinstance(found, Source) else source.affine
            numbers = numbers_of(affine, lost if node is entry.node else 0.0, growth)
            by_node[node].decision = _folded(by_node[node], affine, plan.direction, into, numbers)

    def _merge(self, entries: Collection[_Entry]) -> bool:
        by_node = {entry.node: entry for entry in entries}
        return self.merger.run(lambda merge: self._carry_out_merge(merge, by_node))

    def _carry_out_merge(self, merge: Merge, by_node: dict[ir.Node, _Entry]) -> bool:
        """Whether the merge was proven and made; affines that went with it are accounted for."""
        sentence = merge.sentence
        if self._fault(merge.plan, sentence) is not None:
            return False
        found = {node: source_of(node, self.facts) for node in merge.parts if node in by_node}
        lost = {n: _lost_bits(s, self.facts) for n, s in found.items() if isinstance(s, Source)}
        growth = _range_growth(merge.plan, self.facts)
        self.engine.apply(merge.plan)
        self.merges.append(sentence)
        for node, source in found.items():
            if isinstance(source, Source):
                entry, rule = by_node[node], merge.plan.direction
                numbers = numbers_of(source.affine, lost[node], growth)
                into = (describe(merge.host),)
                entry.decision = _folded(entry, source.affine, rule, into, numbers)
        return True

    def _look_for_prices(self, entries: Collection[_Entry]) -> None:
        """Which allowance would have folded what is left."""
        for entry in entries:
            if entry.decision is not None or entry.op != "BatchNormalization":
                continue
            source = source_of(entry.node, self.facts)
            if not isinstance(source, Source) or entry.name in self.skip:
                continue
            would = [p for p in PRICES if p not in self.allow and self._would(p, source, entry)]
            entry.decision = self._kept(entry, tuple(would))

    def _would(self, price: str, source: Source, entry: _Entry) -> bool:
        """Whether allowing this one rewrite more would fold the source."""
        search = Search(self.facts, self.rules, self.allow | {price}, self.skip)
        if price != clone.PRICE:
            return isinstance(self._proven(source, entry, search), Plan)
        if not clone.can_clone(source.node, source.index):
            return False
        with clone.cloned(source.node, source.index, self.engine):
            return isinstance(self._proven(source, entry, search), Plan)

    def _decision(self, entry: _Entry) -> Decision | None:
        if entry.decision is not None:
            return entry.decision
        if entry.op == "BatchNormalization" or (entry.scales_channels and entry.refusals):
            return self._kept(entry, ())
        return None

    def _kept(self, entry: _Entry, would: tuple[str, ...]) -> Decision:
        return Decision(
            name=entry.name,
            op=entry.op,
            output=entry.output,
            scope=entry.scope,
            channels=entry.channels,
            status="kept",
            refusals=tuple(dict.fromkeys(entry.refusals)),
            would_fold_with=would,
        )


def _folded(
    entry: _Entry, affine: Affine, rule: str, into: tuple[str, ...], numbers: Numbers
) -> Decision:
    return Decision(
        name=entry.name,
        op=entry.op,
        output=entry.output,
        scope=entry.scope,
        channels=max(affine.extents),
        status="folded",
        rule=rule,
        into=into,
        numbers=numbers,
    )


def _scopes(graph: ir.Graph, scope: str) -> Collection[tuple[ir.Graph, str]]:
    """Every graph with the name of the node whose body it is."""
    found = [(graph, scope)]
    for node in graph:
        for attribute in node.attributes.values():
            inner = []
            if attribute.type == ir.AttributeType.GRAPH:
                inner = [attribute.as_graph()]
            elif attribute.type == ir.AttributeType.GRAPHS:
                inner = list(attribute.as_graphs())
            for body in inner:
                found.extend(_scopes(body, describe(node)))
    return found


def _not_ours(source: Source, facts: Facts) -> Refusal | None:
    """Constant arithmetic that belongs to something else than a batch norm.

    An Add behind a MatMul is its bias. Behind a division by a run-time value it is the end of a
    normalisation over the sample (LayerNorm and its kin), which runtimes fuse as a whole.
    """
    if source.is_batch_norm:
        return None
    x = source.node.inputs[source.index]
    producer = None if x is None else x.producer()
    if not source.affine.has_scale and is_op(producer, "MatMul"):
        return Refusal("bias", "it is the bias of a MatMul")
    walk = producer
    while walk is not None and isinstance(found := source_of(walk, facts), Source):
        before = walk.inputs[found.index]
        walk = None if before is None else before.producer()
    if is_op(
        walk,
        "Div",
        "LayerNormalization",
        "InstanceNormalization",
        "GroupNormalization",
        "RMSNormalization",
        "SimplifiedLayerNormalization",
    ):
        return Refusal("run-time-statistics", "it ends a normalisation computed at run time")
    if (
        walk is not None
        and is_op(walk, "Mul")
        and any(
            is_op(v.producer(), "Reciprocal", "Pow", "Sqrt") for v in walk.inputs if v is not None
        )
    ):
        return Refusal("run-time-statistics", "it ends a normalisation computed at run time")
    return None


def _constants(plan: Plan) -> Collection[Exact]:
    found = list(plan.constants.values())
    for step in plan.steps.values():
        for new in step.nodes or ():
            found.extend(operand for operand in new.inputs if isinstance(operand, Exact))
    return found


def _lost_bits(source: Source, facts: Facts) -> float:
    """How far `beta - mean * s` cancels, at worst, in bits."""
    if not source.is_batch_norm:
        return 0.0
    beta, mean = (facts.constant(source.node.inputs[i]) for i in (2, 3))
    if beta is None or mean is None:
        return 0.0
    s, t = source.affine.scale.reshape(-1), np.abs(source.affine.shift.reshape(-1))
    large = np.maximum(np.abs(beta.reshape(-1)), np.abs(mean.reshape(-1) * s))
    lost = np.log2(np.where(large > 0, large, 1)) - np.log2(np.where(t > 0, t, 1))
    return float(np.max(np.where((t > 0) & (large > 0), lost, 0.0), initial=0.0))


def _range_growth(plan: Plan, facts: Facts) -> float:
    """The largest weight after, over the largest before, where it grows most."""
    growth = [1.0]
    for node, step in plan.steps.items():
        for new in step.nodes or ():
            for index, operand in enumerate(new.inputs):
                old = facts.exact(node.inputs[index]) if index < len(node.inputs) else None
                if index != 1 or not isinstance(operand, Exact) or old is None:
                    continue
                before, after = _largest(old), _largest(operand)
                if before > 0:
                    growth.append(after / before)
    return max(growth) if len(growth) == 1 else max(growth[1:])


def _largest(exact: Exact) -> float:
    return max(
        (float(np.max(np.abs(exact.rows(a, b)), initial=0.0)) for a, b in exact.chunks()),
        default=0.0,
    )


def _at(refusal: Refusal, entry: _Entry) -> Refusal:
    return Refusal(refusal.code, refusal.sentence, refusal.at or entry.label, refusal.advice)


def _op(node: ir.Node) -> str:
    return "BatchNormalization" if node.op_type == "BatchNormalization" else "affine"
