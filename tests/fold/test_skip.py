"""What a user asks to leave alone stays, and a name that means nothing is told."""

from __future__ import annotations

import pytest

import bnfold
from benchmarks.motifs import GROUPS
from bnfold.errors import UsageError

RESIDUAL = next(m for m in GROUPS["networks"] if m.name == "residual-block")


def _norms(model: bnfold.fold.FoldResult) -> int:
    return sum(node.op_type == "BatchNormalization" for node in model.model.graph)


def test_a_skipped_batch_norm_stays_and_the_others_go() -> None:
    model = RESIDUAL.model()
    name = bnfold.fold(model).ledger.batch_norms[0].name
    result = bnfold.fold(model, skip=[name])
    assert _norms(result) == 1
    assert [d.refusals[0].code for d in result.ledger.kept] == ["skipped"]


def test_a_skipped_rule_is_not_used() -> None:
    result = bnfold.fold(RESIDUAL.model(), skip=["conv"])
    assert _norms(result) == result.ledger.batch_norms_before


def test_a_name_that_is_neither_node_nor_rule_is_refused() -> None:
    with pytest.raises(UsageError, match="no-such-node is neither a node of the model nor a rule"):
        bnfold.fold(RESIDUAL.model(), skip=["no-such-node"])


def test_an_unknown_allowance_is_refused() -> None:
    with pytest.raises(UsageError, match="unknown everything"):
        bnfold.fold(RESIDUAL.model(), allow=["everything"])
