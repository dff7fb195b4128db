"""A batch norm in front of a matrix product without a bias gives way to one: a node for a node."""

from __future__ import annotations

import numpy as np
import pytest

from bnfold.fold import FoldResult
from tests.fold.property.oracle import check_fold, kinds_of
from tests.fold.property.text_models import model, norm, verdicts, weight

W = {
    "narrow": weight(6, 5),
    "square": weight(6, 6),
    "wide": weight(6, 8),
    "rows": weight(5, 6),
    "batched": weight(2, 6, 5),
    "vector": weight(6),
    "last": weight(4, 5, seed=3),
    "bias": weight(5),
    "k": weight(6, 6, 1),
    **norm("p", 6, signs=True),
    **norm("q", 5),
}


def _folded(body: str, outputs: str = "float[N, P, Q] y", dtype: str = "float") -> FoldResult:
    constants = {n: a.astype(np.float16) if dtype == "float16" else a for n, a in W.items()}
    text = f"(float[N, 6, L] x) => ({outputs}) {{ {body} }}".replace("float[", f"{dtype}[")
    feeds = [{"x": weight(2, 6, size)} for size in (7, 3)]
    return check_fold(model(text, constants), feeds, with_runtime=dtype == "float")


COLUMNS = "r = Relu(x) a = BN(r, p) t = Transpose<perm = [0, 2, 1]>(a) m = MatMul(t, {0})"
ROWS = "r = Relu(x) a = BN(r, p) m = MatMul(rows, a)"


@pytest.mark.parametrize("body", [COLUMNS.format("narrow"), COLUMNS.format("square"), ROWS])
def test_the_shift_becomes_the_product_s_bias(body: str) -> None:
    result = _folded(f"{body} y = Sigmoid(m)")
    assert kinds_of(result)[-3:] == ["MatMul", "Add", "Sigmoid"]
    assert result.ledger.batch_norms_after == 0
    (decision,) = result.ledger.decisions
    assert decision.price == ()
    assert decision.into == ("MatMul -> 'm'",)


def test_two_in_a_row_are_two_products_with_a_bias() -> None:
    result = _folded(f"{ROWS} s = Relu(m) b = BN(s, q) y = MatMul(last, b)")
    assert result.ledger.batch_norms_after == 0


KEPT = {
    "a larger product": f"{COLUMNS.format('wide')} y = Sigmoid(m)",
    "two products": f"{ROWS} n = MatMul(rows, a) e = Erf(n) s = Sigmoid(m) y = Add(s, e)",
    "a matrix for each row of the batch": f"{COLUMNS.format('batched')} y = Sigmoid(m)",
}


@pytest.mark.parametrize("name", KEPT)
def test_where_it_would_cost_more_it_stays(name: str) -> None:
    result = _folded(KEPT[name])
    assert "BatchNormalization" in kinds_of(result)


def test_in_float16_it_stays() -> None:
    """The product without the shift may be larger than what it holds."""
    assert "BatchNormalization" in kinds_of(_folded(f"{ROWS} y = Sigmoid(m)", dtype="float16"))


def test_a_product_by_a_vector_stays() -> None:
    body = f"{COLUMNS.format('vector')} y = Sigmoid(m)"
    assert "BatchNormalization" in kinds_of(_folded(body, "float[N, P] y"))


def test_what_others_read_stays() -> None:
    result = _folded(f"{ROWS} y = Sigmoid(m)", "float[N, P, Q] y, float[N, 6, L] a")
    assert "graph-output" in next(iter(verdicts(result).values()))


BETTER = {
    "a layer before it": ("c = Conv(x, k) a = BN(c, p) m = MatMul(rows, a) y = Sigmoid(m)",
                          "Conv MatMul Sigmoid"),
    "a bias that is there": (f"{COLUMNS.format('narrow')} b = Add(m, bias) y = Sigmoid(b)",
                             "Relu Transpose MatMul Add Sigmoid"),
    "a reader that forgets it": (f"{ROWS} y = Softmax<axis = 2>(m)", "Relu MatMul Softmax"),
    "a batch norm behind it": (f"{ROWS} y = BN(m, q)", "Relu MatMul Add"),
}  # fmt: skip


@pytest.mark.parametrize("name", BETTER)
def test_what_needs_no_exchange_comes_first(name: str) -> None:
    body, kinds = BETTER[name]
    assert kinds_of(_folded(body)) == kinds.split()
