"""A fold that turns the sign of an infinity is not believed."""

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
_NUMBERS = {"one": np.float32(1), "minus": np.float32(-1), "zero": np.float32(0)}
_ORIGINAL = "r = Relu(x) y = Div(one, r)"


def _opinion(original: str, folded: str) -> Opinion:
    before, after = (model(f"{_SIGNATURE} {{ {text} }}", _NUMBERS) for text in (original, folded))
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
