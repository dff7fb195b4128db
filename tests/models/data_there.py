"""Which networks can be judged here: the data of some lies in packages that need not be there."""

from __future__ import annotations

import pytest

from bnfold.errors import MissingDependencyError
from models.recipe import RECIPES, Recipe
from models.sources import SOURCES

EACH = pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES.keys())


def needs_data_of(recipe: Recipe) -> None:
    """Skips the test, with the reason, where the recipe's data is not installed."""
    try:
        SOURCES[recipe.data].read()
    except MissingDependencyError as error:
        pytest.skip(str(error))
