"""Which batch norms' folds are to blame, where a model is bnfold's own fold of another."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence

import onnx_ir as ir

from bnfold.fold.api import FoldResult

Refold = Callable[[Sequence[str]], FoldResult]
"""Folds the original again, leaving these sites alone."""


def is_fold_of(other: ir.Model, original: ir.Model, folded: ir.Model) -> bool:
    """Whether the nodes of a model are such as bnfold makes of the original.

    Each is one of the original, or of its fold; all are those of the fold, or some only the fold
    has. Whatever else removed a batch norm names its nodes in another way.
    """
    before, after, nodes = _made(original), _made(folded), _made(other)
    if after == before:
        return False  # nothing was folded
    return nodes == after or (nodes <= before | after and not nodes <= before)


def blamed(
    value: ir.Value,
    good: Collection[str],
    folded: FoldResult,
    refold: Refold,
    is_off: Callable[[ir.Model], bool],
) -> list[str]:
    """The sites between a tensor that is off and those that agree; alone, if one is off alone.

    Args:
        value: the tensor, in the original.
        good: the names of tensors that agree.
        folded: the fold with all sites.
        refold: folds again.
        is_off: whether the tensor is off in a fold.
    """
    sites = _sites(list(_between(value, good)), folded)
    if len(sites) < 2:
        return sites
    alone = [site for site in sites if is_off(refold([s for s in sites if s != site]).model)]
    return alone or sites


def _made(model: ir.Model) -> set[tuple[str, str]]:
    return {(node.op_type, node.outputs[0].name or "") for node in model.graph}


def _between(value: ir.Value, good: Collection[str]) -> Iterator[ir.Node]:
    """The nodes that a tensor depends on, back to tensors that are known to agree; latest first."""
    pending, seen = [value], set()
    while pending:
        node = pending.pop(0).producer()
        if node is None or node in seen:
            continue
        seen.add(node)
        yield node
        pending += [x for x in node.inputs if x is not None and x.name not in good]


def _sites(suspects: Sequence[ir.Node], folded: FoldResult) -> list[str]:
    """The fold sites among nodes, earliest first; if there are none, every batch norm."""
    made = {value.name for node in suspects for value in node.outputs}
    sites = [d.name for d in folded.ledger.decisions if d.is_folded and d.output in made]
    norms = [node for node in reversed(suspects) if node.op_type == "BatchNormalization"]
    return sites or [norm.name or norm.outputs[0].name or "" for norm in norms]
