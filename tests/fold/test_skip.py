"""What a user asks to leave alone stays, and a name that means nothing is told."""

from __future__ import annotations

import pytest

import bnfold
from benchmarks.motifs import GROUPS, Motif, Norm
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


def test_the_ledger_tells_when_only_several_allowances_together_help() -> None:
    model = Motif(
        "two-prices",
        "(float[N,4,8,8] x) => (float[N,4,8,8] y) "
        "{ a = Sigmoid(x) b = BN(a, n) r = Relu(b) y = Conv<pads=[1,1,1,1]>(r, w) }",
        {"n": Norm(4), "w": (4, 4, 3, 3)},
        "",
    ).model()
    (kept,) = bnfold.fold(model).ledger.kept
    assert kept.would_fold_with == ("all",)
    assert bnfold.fold(model, allow=["all"]).ledger.batch_norms_after == 0
