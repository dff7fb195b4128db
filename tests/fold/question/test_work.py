"""What a search costs is bounded, and it is not made again for nothing: counted, not timed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import onnx
import pytest

import bnfold
from benchmarks.motifs import Motif, Norm
from bnfold.fold import in_place
from bnfold.fold.question.asking import Asking
from bnfold.fold.question.memo import Memo
from bnfold.fold.question.search import Search
from bnfold.fold.question.unread import UnreadNodes

VALUES = "float[N,4,5,5]"


def _model(text: str, norms: int = 0, **constants: Any) -> onnx.ModelProto:
    body = f"({VALUES} x) => ({VALUES} y) {{ {text} }}"
    named = {f"n{i}": Norm(4) for i in range(norms)}
    return Motif("work", body, {"w": (4, 4, 1, 1), **named, **constants}, "").model()


def _rectified(count: int) -> onnx.ModelProto:
    """Batch norms that all stay: each stands between two Relus."""
    text = " ".join(
        f"r{i} = Relu({'x' if i == 0 else f'b{i - 1}'}) b{i} = BN(r{i}, n{i})" for i in range(count)
    )
    return _model(f"{text} y = Relu(b{count - 1})", count)


def _fan(count: int) -> onnx.ModelProto:
    """One convolution that so many batch norms read."""
    text = " ".join(f"b{i} = BN(c, n{i}) r{i} = Sigmoid(b{i})" for i in range(count))
    sums = " ".join(f"s{i + 1} = Add(s{i}, r{i})" for i in range(count))
    return _model(f"c = Conv(x, w) {text} s0 = Tanh(x) {sums} y = Tanh(s{count})", count)


def _trunk(count: int) -> onnx.ModelProto:
    """Residual blocks whose batch norms do not agree on signs."""
    blocks = " ".join(
        f"b{i} = BN(t{i}, n{i}) r{i} = Relu(b{i}) c{i} = Conv(r{i}, w) t{i + 1} = Add(t{i}, c{i})"
        for i in range(count)
    )
    return _model(f"t0 = Conv(x, w) {blocks} y = Identity(t{count})", count)


@pytest.mark.parametrize(
    ("make", "size"),
    [
        (_fan, 16),
        pytest.param(_rectified, 16, marks=pytest.mark.slow),
        pytest.param(_trunk, 8, marks=pytest.mark.slow),
    ],
)
def test_twice_the_graph_is_twice_the_work(
    make: Callable[[int], onnx.ModelProto], size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Questions go so far and no further; below that, each batch norm sees all others."""
    spent: Counter[int] = Counter()
    original = Asking.spend

    def counted(self: Asking, count: int) -> None:
        spent[now] += count
        original(self, count)

    monkeypatch.setattr(Asking, "spend", counted)
    for now in (size, 2 * size):
        bnfold.fold(make(now), check=False)
    assert 0 < spent[2 * size] < 2.4 * spent[size]


def test_a_model_whose_budget_is_spent_keeps_what_is_left_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = "a = Conv(x, w) b = BN(a, n0) r = Relu(b) c = Conv(r, w) d = BN(c, n1) y = Relu(d)"
    assert bnfold.fold(_model(text, 2)).ledger.batch_norms_after == 0
    monkeypatch.setattr(in_place, "_WORK", 0)
    monkeypatch.setattr(in_place, "_LEAST_WORK", 6)
    ledger = bnfold.fold(_model(text, 2)).ledger
    assert [d.status for d in ledger.decisions] == ["folded", "kept"]
    assert {r.code for r in ledger.kept[0].refusals} == {"search-limit"}


def test_a_search_in_vain_is_made_again_only_where_something_changed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One stays; the other, far away, folds, and all is gone over again."""
    asked: list[str | None] = []
    original = Search.candidates

    def noted(self: Search, source: Any) -> Any:
        asked.append(source.node.outputs[0].name)
        return original(self, source)

    monkeypatch.setattr(Search, "candidates", noted)
    text = """a = Relu(x) stays = BN(a, n0) c = Relu(stays) d = Sin(c) e = Cos(d) f = Sin(e)
              g = Conv(f, w) goes = BN(g, n1) y = Relu(goes)"""
    assert bnfold.fold(_model(text, 2), check=False).ledger.batch_norms_after == 1
    once = asked.count("stays")  # for each effort, and in copies that are folded for advice
    assert once == 6
    monkeypatch.setattr(Memo, "recall", lambda *_args: None)
    asked.clear()
    bnfold.fold(_model(text, 2), check=False)
    assert asked.count("stays") > once


def test_what_a_fold_changes_is_asked_about_again() -> None:
    """The first goes only once the second, looked at later, has left its convolution."""
    text = """s = Sigmoid(x) b = BN(s, n0) c = Conv(b, w) d = BN(c, n1) e = Sigmoid(d)
              f = Conv(e, w) g = BN(f, n2) y = Relu(g)"""
    assert bnfold.fold(_model(text, 3), check=False).ledger.batch_norms_after == 0


def test_what_nobody_reads_is_found_with_all_behind_it() -> None:
    text = "a = Conv(x, w) b = Sin(a) c = Cos(b) d = Sin(b) y = Relu(a)"
    model = bnfold.fold(_model(text), check=False).model
    named = {node.outputs[0].name: node for node in model.graph}
    unread = UnreadNodes(model)
    assert {n.outputs[0].name for n in unread.behind(named["b"])} == {"b", "c", "d"}
    assert unread.behind(named["a"]) == unread.behind(named["y"]) == ()
