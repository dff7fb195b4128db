"""A fold that makes infinities of numbers, or others of infinities, is not believed.

But where rounding does it: next to the largest number of a type, and next to 1 / 0.
"""

from __future__ import annotations

import numpy as np
import pytest

from bnfold import model_io
from bnfold.fold.account.told_opinion import Opinion
from bnfold.fold.opinion.answers import Answers, answers_of
from bnfold.fold.opinion.original_model import Original
from bnfold.fold.opinion.second import second_opinion
from tests.fold.property.text_models import model

_SIGNATURE = "(float[N,4] x) => (float[N,4] y)"
_NUMBERS = {
    "one": 1, "minus": -1, "zero": 0, "little": 1e-3, "three": 3, "third": 1 / 3,
    "most": 65472, "more": 1.001, "many": 30000, "few": 100, "some": 300,
}  # fmt: skip
_ORIGINAL = "r = Relu(x) y = Div(one, r)"


def _opinion(original: str, folded: str, dtype: str = "float") -> Opinion:
    kind = {"float": np.float32, "float16": np.float16}[dtype]
    numbers = {name: np.array(number, kind) for name, number in _NUMBERS.items()}
    numbers["axes"] = np.array([0])
    signature = _SIGNATURE.replace("float", dtype)
    before, after = (model(f"{signature} {{ {text} }}", numbers) for text in (original, folded))
    noted = Original.of(before, model_io.load(before))
    answers = answers_of(noted)
    assert isinstance(answers, Answers)
    return second_opinion(noted, answers, model_io.load(after))


@pytest.mark.parametrize(
    ("folded", "agrees"),
    [
        ("r = Relu(x) n = Neg(r) y = Div(minus, n)", True),
        ("r = Relu(x) n = Neg(r) m = Add(n, zero) y = Div(minus, m)", False),
    ],
)
def test_an_infinity_keeps_its_sign(folded: str, agrees: bool) -> None:
    """1 / 0 is -1 / -0, and not -1 / (-0 + 0)."""
    opinion = _opinion(_ORIGINAL, folded)
    assert not opinion.left_out
    assert opinion.agrees == agrees


@pytest.mark.parametrize(
    "folded",
    [
        "r = Relu(x) a = Max(r, little) y = Div(one, a)",  # 1000
        "r = Relu(x) q = Mul(r, r) y = Div(r, q)",  # 0 / 0
    ],
)
def test_an_infinity_becomes_no_number_and_no_nan(folded: str) -> None:
    opinion = _opinion(_ORIGINAL, folded)
    assert not opinion.left_out
    assert not opinion.agrees


def test_a_number_becomes_no_infinity_where_the_original_has_small_numbers_only() -> None:
    """It is multiplied by more than float16 has room for, and divided by that again.

    An Unsqueeze has onnxruntime round to float16 in between.
    """
    opinion = _opinion(
        "y = Mul(x, few)",
        "a = Mul(x, many) j = Unsqueeze(a, axes) i = Squeeze(j, axes) y = Div(i, some)",
        "float16",
    )
    assert not opinion.left_out
    assert not opinion.agrees


def test_what_the_original_loses_by_overflow_a_fold_may_keep() -> None:
    opinion = _opinion(
        "a = Mul(x, many) j = Unsqueeze(a, axes) i = Squeeze(j, axes) y = Div(i, some)",
        "y = Mul(x, few)",
        "float16",
    )
    assert not opinion.left_out
    assert opinion.agrees


@pytest.mark.parametrize(
    "ends",
    [
        "y = Identity(a)",
        "t = Tanh(a) j = Unsqueeze(a, axes) i = Squeeze(j, axes) b = Mul(i, zero) y = Add(b, t)",
    ],
    ids=["out", "within"],
)
def test_next_to_the_largest_number_rounding_decides(ends: str) -> None:
    original = f"c = Clip(x, minus, one) a = Mul(c, most) {ends}"
    folded = f"c = Clip(x, minus, one) e = Mul(c, most) a = Mul(e, more) {ends}"
    opinion = _opinion(original, folded, "float16")
    assert "rounding decides" in opinion.left_out


def test_next_to_a_division_by_0_rounding_decides() -> None:
    """x less a third of its triple is 0 or little, and which of them is rounding."""
    text = "a = Mul(x, {}) b = Mul(a, {}) d = Sub(x, b) y = Div(one, d)"
    opinion = _opinion(text.format("three", "third"), text.format("third", "three"))
    assert opinion.left_out or opinion.agrees
