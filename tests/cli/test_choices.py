"""The words that options take are those of the library, which help must not import to know."""

from __future__ import annotations

from bnfold.cli import choices
from bnfold.fold.rules import PRICES
from bnfold.runtime import engine


def test_the_words_of_an_option_are_those_that_the_library_takes():
    assert list(choices.PROVIDERS) == list(engine.PROVIDERS)
    assert list(choices.LEVELS) == list(engine.LEVELS)
    assert set(choices.ALLOWANCES) == {*PRICES, "all"}
