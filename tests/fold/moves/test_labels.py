"""The labels of a product mean what numpy makes of its equation."""

from __future__ import annotations

import random
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from bnfold.fold.moves.carry.labels import Labels, labels_of
from tests.fold.property.oracle import kinds_of
from tests.fold.property.text_models import fold_checked, model, weight

EXTENTS = dict(zip("abcdABXY", (2, 3, 4, 5, 2, 3, 2, 3), strict=True))


def found(op: str, ranks: list[int | None], **attributes: Any) -> Labels | None:
    values = [ir.Value(name=f"x{i}") for i in range(len(ranks))]
    known = dict(zip(values, ranks, strict=True))
    facts: Any = SimpleNamespace(rank=known.get)
    return labels_of(ir.node(op, values, attributes), facts)


def test_an_equation_is_spelt_out() -> None:
    draw, count = random.Random(6), 0
    for _ in range(400):
        terms = [
            "".join(draw.sample("abcdAB", draw.randrange(0, 4))) for _ in range(draw.choice([1, 2]))
        ]
        hidden = [draw.choice([0, 0, 1, 2]) if draw.random() < 0.4 else None for _ in terms]
        places = [draw.randrange(len(term) + 1) for term in terms]
        spelt = [
            term if h is None else f"{term[:k]}...{term[k:]}"
            for term, h, k in zip(terms, hidden, places, strict=True)
        ]
        dots = "..." if any(h is not None for h in hidden) else ""
        equation = ",".join(spelt)
        if draw.random() < 0.5:
            letters = sorted(set("".join(terms)))
            kept = draw.sample(letters, draw.randrange(len(letters) + 1))
            equation += f"->{dots}" + "".join(kept)
        shapes = [
            [EXTENTS[c] for c in term[:k]] + [2, 3][2 - (h or 0) :] + [EXTENTS[c] for c in term[k:]]
            for term, h, k in zip(terms, hidden, places, strict=True)
        ]
        values = [np.random.default_rng(1).normal(size=shape) for shape in shapes]
        labels = found("Einsum", [v.ndim for v in values], equation=equation.replace(",", " , "))
        assert labels is not None
        again = ",".join(labels.operands) + "->" + labels.output
        np.testing.assert_allclose(np.einsum(again, *values), np.einsum(equation, *values))
        count += bool(dots)
    assert count > 100


@pytest.mark.parametrize(
    ("equation", "ranks"),
    [
        ("aa->a", [2]),
        ("ab->aa", [2]),
        ("ab->ba", [3]),
        ("ab->ba", [None]),
        ("ab,bc->ac", [2]),
        ("ab->ba", [2, 2]),
        ("abc...->abc...", [2]),
        ("a...b,b->a...", [1, 1]),
        ("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXY...->...", [53]),
    ],
)
def test_what_has_no_labels(equation: str, ranks: list[int | None]) -> None:
    assert found("Einsum", ranks, equation=equation) is None


def test_as_many_labels_as_there_are_letters() -> None:
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXY"
    labels = found("Einsum", [52], equation=f"{letters}...->...")
    assert labels is not None
    assert labels.output == "Z"


@pytest.mark.parametrize("ranks", [[1, 2], [2, 1], [1, 1], [None, 2], [2, None]])
def test_a_product_with_a_vector_has_none(ranks: list[int | None]) -> None:
    assert found("MatMul", ranks) is None


@pytest.mark.parametrize("ranks", [(2, 2), (3, 2), (2, 4), (4, 3), (4, 4)])
def test_a_product_of_stacks(ranks: tuple[int, int]) -> None:
    lead = (2, 3)
    shapes = [
        (*lead[2 - (rank - 2) :], *last) for rank, last in zip(ranks, ((4, 5), (5, 6)), strict=True)
    ]
    values = [np.random.default_rng(1).normal(size=shape) for shape in shapes]
    labels = found("MatMul", list(ranks))
    assert labels is not None
    again = ",".join(labels.operands) + "->" + labels.output
    np.testing.assert_allclose(np.einsum(again, *values), values[0] @ values[1])


def test_an_affine_before_a_product_with_a_vector_stays() -> None:
    text = (
        "(float[3,4] x, float[4] z) => (float[3] y) { t = Tanh(x) m = Mul(t, c) y = MatMul(m, z) }"
    )
    result = fold_checked(model(text, {"c": weight(3, 1)}), x=(3, 4), z=(4,))
    assert "Mul" in kinds_of(result)
