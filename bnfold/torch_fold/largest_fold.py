"""The largest fold of an exported graph all of whose changes can be told to its module by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import onnx_ir as ir

from bnfold.fold.account.ledger import Decision
from bnfold.fold.api import fold
from bnfold.fold.rules import MERGES
from bnfold.fold.sources.source import ARITHMETIC
from bnfold.torch_fold.mapping import (
    NewTensors,
    changes_between,
    nodes_named,
    norms_of,
    owner_of,
)
from bnfold.torch_fold.modules import Parts, norm_kinds
from bnfold.torch_fold.records import KeptModule


@dataclass(frozen=True)
class Mapped:
    """What can be done to a module.

    Attributes:
        changes: of its tensors.
        gone: names of the batch norms that are folded.
        kept: those that stay.
    """

    changes: NewTensors
    gone: tuple[str, ...]
    kept: tuple[KeptModule, ...]


def mapped(original: ir.Model, parts: Parts, skipped: frozenset[str]) -> Mapped:
    """Folds, and folds again without what cannot be told to the module, until all can be."""
    norms = dict(norms_of(original))
    reasons = dict(_must_stay(norms, parts, skipped))
    code = {
        n.name: "it is code of the module, which stays"
        for n in original.graph
        if n.op_type in ARITHMETIC and n.name and not parts.has_linear(owner_of(n))
    }
    nodes = {n.name for n in original.graph if n.name}
    avoided: dict[str, str] = {}
    while True:
        result = fold(original, skip={*MERGES, *code, *reasons, *avoided}, check=False)
        changes = changes_between(original, result.model, parts)
        found = result.ledger.batch_norms
        folded = [decision for decision in found if decision.is_folded]
        known = {
            name: why for name, why in changes.strangers.items() if name in nodes - avoided.keys()
        }
        if known:  # another way may be open, past these nodes
            avoided |= known
            continue
        blamed = _blamed(folded, changes)
        if not blamed:
            kept = (
                KeptModule(
                    norms.get(d.name) or d.name, reasons.get(d.name) or _why(d, code | avoided)
                )
                for d in found
                if not d.is_folded
            )
            return Mapped(changes, tuple(norms[d.name] for d in folded), tuple(kept))
        reasons |= blamed


def _must_stay(
    norms: Mapping[str, str], parts: Parts, skipped: frozenset[str]
) -> Iterator[tuple[str, str]]:
    """Batch norms that cannot be taken out by name, each with the reason."""
    for node, owner in norms.items():
        reason = parts.why_not(owner, norm_kinds()) if owner else "it is no module's own"
        if {owner, node} & skipped:
            reason = "it was to be left alone"
        if reason is not None:
            yield node, reason


def _blamed(folded: Sequence[Decision], changes: NewTensors) -> dict[str, str]:
    """The folds that have changed what belongs to no module; all of them where none is to blame."""
    if not changes.strangers:
        return {}
    found = {}
    for decision in folded:
        for name in sorted(nodes_named(decision.into) & changes.strangers.keys()):
            found[decision.name] = f"it would change {name!r}: {changes.strangers[name]}"
    node, reason = next(iter(changes.strangers.items()))
    return found or {d.name: f"it would change {node!r}: {reason}" for d in folded}


def _why(decision: Decision, avoided: Mapping[str, str]) -> str:
    """The reasons of the fold, and those of ours where it was asked to leave a node."""
    said = []
    for refusal in decision.refusals:
        (name,) = nodes_named([refusal.at])
        sentence = avoided.get(name, refusal.sentence) if refusal.code == "skipped" else None
        sentence = sentence or refusal.sentence
        said.append(f"{refusal.at}: {sentence}" if refusal.at else sentence)
    return "; ".join(dict.fromkeys(said))
