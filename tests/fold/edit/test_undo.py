"""An edit that is undone leaves the graph as it was, to the byte, whatever it had done."""

from __future__ import annotations

import pytest

import bnfold
from benchmarks.motifs import GROUPS, Motif
from bnfold import model_io
from bnfold.fold.edit.engine import Engine
from bnfold.fold.edit.rewriting import Rewriting
from bnfold.fold.edit.taken_branch import take_constant_branches
from bnfold.fold.proof.certificate import Certificate
from bnfold.fold.rules import PRICES
from bnfold.fold.sources.inlining import inline_functions

MOTIFS = [motif for motifs in GROUPS.values() for motif in motifs]
SOME = [m if i % 4 == 0 else pytest.param(m, marks=pytest.mark.slow) for i, m in enumerate(MOTIFS)]


@pytest.mark.parametrize("motif", SOME, ids=lambda m: m.name)
def test_a_model_is_the_same_to_the_byte_where_every_rewrite_is_undone(
    motif: Motif, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Certificate, "compared", lambda *_args: "it was not wanted")
    untouched = model_io.load(motif.model())
    inline_functions(untouched)
    taken = take_constant_branches(untouched, ())
    result = bnfold.fold(motif.model(), allow=PRICES)
    before = model_io.to_proto(untouched).SerializeToString(deterministic=True)
    assert result.to_proto().SerializeToString(deterministic=True) == before
    assert not result.ledger.folded
    assert result.ledger.merges == tuple(taken.told)


def test_an_edit_that_fails_half_way_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    motif = next(m for m in MOTIFS if m.name == "residual-block")
    before = model_io.to_proto(model_io.load(motif.model())).SerializeToString(deterministic=True)

    def fails(*_args: object) -> None:
        raise ZeroDivisionError("half way")

    monkeypatch.setattr(Engine, "_pass_by", fails)
    result = bnfold.fold(motif.model())
    assert any("ZeroDivisionError: half way" in bug for bug in result.ledger.bugs)
    assert result.to_proto().SerializeToString(deterministic=True) == before


def test_a_full_memory_is_no_bug_of_a_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    motif = next(m for m in MOTIFS if m.name == "residual-block")

    def full(*_args: object) -> None:
        raise MemoryError

    monkeypatch.setattr(Rewriting, "carry_out", full)
    with pytest.raises(MemoryError):
        bnfold.fold(motif.model())
