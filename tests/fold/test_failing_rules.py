"""An exception in a rule ends what that rule would have done, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import onnx
import pytest

import bnfold
from benchmarks.motifs import Motif, Norm
from bnfold.errors import InternalError
from bnfold.fold import folder
from bnfold.fold.merge import merger
from bnfold.fold.question import search
from bnfold.fold.rules import RULES


def _model() -> onnx.ModelProto:
    return Motif(
        "two",
        "(float[N,4,8,8] x) => (float[N,4,H,W] y, float[N,5] z) { a = Conv(x, w) y = BN(a, n) "
        "g = GlobalAveragePool(x) f = Flatten(g) c = Gemm(f, v) z = BN(c, m) }",
        {"w": (4, 4, 3, 3), "n": Norm(4), "v": (4, 5), "m": Norm(5)},
        "",
    ).model()


def _fails(*_args: object) -> None:
    raise KeyError("no such thing")


def test_the_other_batch_norms_fold_where_one_rule_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = [replace(r, backward=_fails) if r.name == "conv" else r for r in RULES]
    original = folder.Asking
    monkeypatch.setattr(folder, "Asking", lambda facts, _r, *rest: original(facts, broken, *rest))
    ledger = bnfold.fold(_model()).ledger
    assert {d.output: d.status for d in ledger.decisions} == {"y": "kept", "z": "folded"}
    assert ledger.kept[0].refusals[0].code == "rule-failed"
    assert ledger.bugs == ("Conv -> 'a': the rule 'conv' failed: KeyError: 'no such thing'",)
    with pytest.raises(InternalError, match="rule 'conv' failed"):
        bnfold.fold(_model(), strict=True)


@pytest.mark.parametrize(
    ("where", "name"),
    [(search.Search, "_candidates"), (folder, "source_of"), (merger.Merger, "_rule")],
)
def test_a_fold_goes_on_where_a_question_fails(
    where: object, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing folds, and the model comes out whole."""
    if name == "_rule":
        monkeypatch.setattr(merger.Merger, name, lambda _self, _node: _fails)
        assert not bnfold.fold(_model()).ledger.kept
    else:
        monkeypatch.setattr(where, name, _fails)
        assert len(bnfold.fold(_model()).ledger.kept) == 2
    assert bnfold.fold(_model()).ledger.bugs


def test_a_fold_goes_on_where_a_merge_fails_while_it_is_carried_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = Motif(
        "row",
        "(float[N,4] x) => (float[N,5] y, float[N,5] z) { a = Gemm(x, v) y = Gemm(a, w) "
        "c = Gemm(x, u) z = BN(c, m) }",
        {"v": (4, 3), "w": (3, 5), "u": (4, 5), "m": Norm(5)},
        "",
    ).model()
    monkeypatch.setattr(folder.Folder, "_merged", _fails)
    ledger = bnfold.fold(model).ledger
    assert [d.status for d in ledger.decisions] == ["folded"]
    assert len(ledger.bugs) == 1
    assert "it failed: KeyError" in ledger.bugs[0]
