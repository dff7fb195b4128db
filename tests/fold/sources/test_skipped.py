"""What a user asks to leave alone stays, and a name that means nothing is told."""

from __future__ import annotations

import onnx
import onnx_ir as ir
import pytest

import bnfold
from benchmarks.motifs import GROUPS, Motif, Norm
from bnfold.errors import UsageError
from bnfold.fold import FoldBatchNorm

RESIDUAL = next(m for m in GROUPS["networks"] if m.name == "residual-block")


def _text(body: str, **shapes: tuple[int, ...]) -> onnx.ModelProto:
    """A model from x [N, 4, 8, 8] to y, with the batch norm `n` of 4 channels."""
    image = f"(float[N,4,8,8] x) => (float[N,4,H,W] y) {{ {body} }}"
    return Motif("text", image, {"n": Norm(4), **shapes}, "").model()


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
    first = result.ledger.kept[0].refusals[0]
    assert first.code == "skipped"
    assert "'conv'" in first.sentence


def test_a_skipped_rule_is_no_reason_where_it_would_have_done_nothing() -> None:
    """A batch norm that the Conv's padding stops is not told that a rule was left out."""
    model = _text("a = Sigmoid(x) b = BN(a, n) y = Conv<pads = [1, 1, 1, 1]>(b, w)", w=(4, 4, 3, 3))
    (kept,) = bnfold.fold(model, skip=["pool"]).ledger.kept
    assert "skipped" not in [refusal.code for refusal in kept.refusals]


def test_the_ledger_spells_rules_as_skip_takes_them() -> None:
    model = _text(
        "a = Conv(x, w) p = AveragePool<kernel_shape = [2, 2]>(a) y = BN(p, n)", w=(4, 4, 3, 3)
    )
    (folded,) = bnfold.fold(model).ledger.folded
    assert (folded.direction, folded.rules) == ("backward", ("pool", "conv"))
    for rule in folded.rules:
        (kept,) = bnfold.fold(model, skip=rule).ledger.kept
        assert kept.refusals[0].code == "skipped"


@pytest.mark.parametrize("name", ["no-such-node", "forward", "backward", "BatchNormalization"])
def test_a_name_that_is_neither_node_nor_rule_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=f"'{name}' is neither a node of the model nor a rule"):
        bnfold.fold(RESIDUAL.model(), skip=[name])


def test_a_refused_name_is_told_the_names_that_would_do() -> None:
    with pytest.raises(UsageError, match=r"near it: conv.*the rules are .*merge-parallel"):
        bnfold.fold(RESIDUAL.model(), skip=["convv"])


@pytest.mark.parametrize("name", ["", "norm"])
def test_a_node_is_skipped_by_the_tensor_that_it_makes(name: str) -> None:
    model = _text("a = Conv(x, w) y = BN(a, n)", w=(4, 4, 3, 3))
    for node in model.graph.node:
        node.name = name and f"{name}-{node.op_type}"
    for tensor in ("a", "y"):
        (kept,) = bnfold.fold(model, skip=tensor).ledger.kept
        assert kept.refusals[0].code == "skipped"


def test_the_name_of_a_node_comes_before_that_of_a_tensor() -> None:
    model = _text("a = Conv(x, w) b = BN(a, n) y = Conv(b, w)", w=(4, 4, 3, 3))
    conv, norm, other = model.graph.node
    conv.name, norm.name, other.name = "first", "norm", "b"
    result = bnfold.fold(model, skip="b")
    assert result.ledger.batch_norms_after == 0, "the last convolution stays, not the batch norm"


def test_the_pass_checks_its_settings_as_the_call_does() -> None:
    with pytest.raises(UsageError, match="unknown everything"):
        FoldBatchNorm(allow="everything")
    folding = FoldBatchNorm(allow="rectifier", skip="no-such-node")
    with pytest.raises(UsageError, match="no-such-node"):
        folding(ir.from_proto(RESIDUAL.model()))


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
    assert kept.would_fold_with == ("constant-map,rectifier",)
    assert bnfold.fold(model, allow=kept.would_fold_with).ledger.batch_norms_after == 0
