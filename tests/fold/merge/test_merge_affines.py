"""Batch norms of one value that are added."""

from __future__ import annotations

import pytest

from tests.fold.merge.merging import conv, merged, norm, weight

CONSTANTS = conv("a", 4, 3, 3, 3) | norm("p", 4, signs=True) | norm("q", 4, seed=9)
CONSTANTS |= {"s": weight(4, 1, 1, seed=5)}


def _behind_a_conv(body: str) -> str:
    return f"(float[N, 3, H, W] x) => (float[N, 4, P, Q] y) {{ a = Conv(x, aw, ab) {body} }}"


@pytest.mark.parametrize(
    "body",
    [
        "b = BN(a, p) c = BN(a, q) y = Add(b, c)",
        "b = BN(a, p) y = Add(a, b)",
        "b = BN(a, p) y = Sub(a, b)",
        "b = BN(a, p) c = Mul(a, s) d = BN(c, q) y = Sum(b, d, a)",
        "b = BN(a, p) c = BN(a, q) d = Sub(b, c) e = Add(a, a) y = Sub(d, e)",
    ],
)
def test_they_fold_together_where_none_could_alone(body: str) -> None:
    folded = merged(_behind_a_conv(body), CONSTANTS, x=(2, 3, 5, 4))
    assert folded.operators == ["Conv"]
    assert folded.result.ledger.batch_norms_after == 0


def test_one_stays_for_all_where_nothing_takes_it() -> None:
    text = """(float[N, 4, H, W] x) => (float[N, 4, H, W] y) {
        [one] b = BN(x, p) [two] c = BN(x, q) d = Sub(b, c) y = Add(d, x) }"""
    folded = merged(text, CONSTANTS, x=(2, 4, 3, 3))
    assert folded.operators == ["BatchNormalization"]
    rules = folded.rules
    assert sorted(rules.values(), key=str) == [None, "merge-parallel"]
    ledger = folded.result.ledger
    (gone,) = ledger.folded
    (kept,) = ledger.kept
    assert gone.into == (f"BatchNormalization '{kept.name}'",)


def test_beside_another_branch() -> None:
    text = """(float[N, 4, H, W] x, float[N, 4, H, W] z) => (float[N, 4, H, W] y) {
        b = BN(x, p) c = BN(x, q) d = Add(b, z) y = Add(c, d) }"""
    folded = merged(text, CONSTANTS, x=(2, 4, 3, 3), z=(2, 4, 3, 3))
    assert folded.operators == ["BatchNormalization", "Add"]


@pytest.mark.parametrize("last", ["Add(c, e)", "Add(e, c)"])
def test_the_one_stays_that_gives_a_sum_its_shape(last: str) -> None:
    text = f"""(float[N, 4, H, W] x, float[4, 1, 1] z) => (float[N, 4, H, W] y) {{
        b = BN(x, p) c = BN(x, q) e = Sum(b, z, z) y = {last} }}"""
    folded = merged(text, CONSTANTS, x=(2, 4, 3, 3), z=(4, 1, 1))
    assert folded.operators == ["BatchNormalization", "Sum"]


@pytest.mark.parametrize(
    "body",
    [
        "b = BN(x, p) c = BN(z, q) y = Add(b, c)",
        "b = BN(x, p) r = Relu(b) y = Add(r, b)",
        "r = Relu(x) b = BN(x, p) y = Add(r, b)",
    ],
)
def test_of_different_values_they_stay(body: str) -> None:
    text = f"""(float[N, 4, H, W] x, float[N, 4, H, W] z) => (float[N, 4, H, W] y) {{ {body} }}"""
    folded = merged(text, CONSTANTS, x=(2, 4, 3, 3), z=(2, 4, 3, 3))
    assert folded.operators.count("BatchNormalization") == body.count("BN")
