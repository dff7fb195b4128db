"""Batch norms of constants in bodies: what a body returns is made in it, and what goes is told."""

from __future__ import annotations

import numpy as np
import pytest

import bnfold
from bnfold.fold.edit.changes import Changes, NotUndoneError
from bnfold.fold.edit.engine import Engine
from tests.fold.property.oracle import kinds_of
from tests.fold.property.text_models import model, norm
from tests.runtime_oracle import in_onnxruntime

NORM = norm("n", 3)
CONSTANT = "k = Constant<value = float[1,3,1,1] {1.0, -2.0, 3.0}>()"
LOOP = f"""(float[2,3,4,4] x) => (float[2,3,4,4] last, float[M,1,3,1,1] all) {{
    last, all = Loop(trips, yes, x) <body = body (int64 i, bool c, float[2,3,4,4] a)
        => (bool d, float[2,3,4,4] b, float[1,3,1,1] r) {{
        {CONSTANT} r = BN(k, n) d = Identity(c) b = Sigmoid(a) }}>
}}"""
IF = f"""(float[2,3,4,4] x, bool q) => (float[N,3,H,W] y) {{
    i = If(q) <then_branch = th () => (float[1,3,1,1] r) {{ {CONSTANT} r = BN(k, n) }},
               else_branch = el () => (float[2,3,4,4] s) {{ s = Sigmoid(x) }}>
    y = Sigmoid(i)
}}"""
CONSTANTS = {"trips": np.array(2), "yes": np.array(True), **NORM}


@pytest.mark.parametrize("text", [LOOP, IF], ids=["loop", "if"])
def test_what_a_body_returns_is_made_in_it(text: str) -> None:
    built = model(text, CONSTANTS)
    result = bnfold.fold(built)
    assert result.ledger.bugs == ()
    feeds = {"x": np.ones((2, 3, 4, 4), np.float32)}
    if text is IF:
        feeds["q"] = np.array(True)
    before, after = (in_onnxruntime(one, feeds) for one in (built, result.to_proto()))
    for a, b in zip(before, after, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-5, atol=1e-6)


def test_a_batch_norm_that_goes_with_what_nobody_reads_is_told() -> None:
    text = f"""(float[2,3,4,4] x, bool q) => (float[2,3,4,4] y) {{
        {CONSTANT} r = BN(k, n)
        i = If(q) <then_branch = th () => (float[2,3,4,4] t) {{ u = Add(r, x) t = Relu(x) }},
                   else_branch = el () => (float[2,3,4,4] s) {{ s = Neg(x) }}>
        y = BN(i, n)
    }}"""
    result = bnfold.fold(model(text, CONSTANTS))
    assert result.ledger.bugs == ()
    left = kinds_of(result).count("BatchNormalization")
    told = [d.status for d in result.ledger.decisions if d.op == "BatchNormalization"]
    assert told.count("kept") == left
    assert len(told) == 2


def test_a_graph_that_cannot_be_taken_back_is_given_to_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(*_: object) -> None:
        raise ValueError("on the way")

    def cannot(*_: object) -> None:
        raise LookupError("nor back")

    text = "(float[2,3,4,4] x) => (float[2,3,4,4] y) { c = Conv(x, w) b = BN(c, n) y = Tanh(b) }"
    built = model(text, {"w": np.ones((3, 3, 1, 1), np.float32), **NORM})

    def carried_out(self: Engine, plan: object, edit: object) -> None:
        changes: Changes = edit.changes  # type: ignore[attr-defined]
        changes.on_undo(cannot)
        fails()

    monkeypatch.setattr(Engine, "_carry_out", carried_out)
    with pytest.raises(NotUndoneError, match="nor back"):
        bnfold.fold(built)


def test_a_body_that_returns_one_value_twice_is_compared_by_nobody() -> None:
    """onnxruntime writes it once, and gives the other one out as it finds it."""
    text = """(float[2,3,4,4] x, bool q) => (float[2,3,4,4] y, float[2,3,4,4] z) {
        c = Conv(x, w) b = BN(c, n)
        y, i = If(q) <then_branch = th () => (float[2,3,4,4] t, float[2,3,4,4] t) { t = Relu(b) },
            else_branch = el () => (float[2,3,4,4] s, float[2,3,4,4] u) { s = Neg(b) u = Abs(b) }>
        z = Sigmoid(i)
    }"""
    result = bnfold.fold(model(text, {"w": np.ones((3, 3, 1, 1), np.float32), **NORM}))
    assert "BatchNormalization" not in kinds_of(result)
    assert "returns one value twice" in (result.ledger.opinion.left_out or "")
