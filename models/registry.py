"""Networks by their names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bnfold.errors import UsageError, did_you_mean
from models.recipe import RECIPES, Recipe

if TYPE_CHECKING:
    from torch import nn


def names() -> tuple[str, ...]:
    """The name of every network."""
    return tuple(RECIPES)


def recipe_of(name: str) -> Recipe:
    """The recipe of that name.

    Raises:
        UsageError: there is none; the message has the name that is spelt most like it.
    """
    if name not in RECIPES:
        hint = did_you_mean(name, RECIPES) or f"; there are {', '.join(RECIPES)}"
        raise UsageError(f"no network is called {name!r}{hint}")
    return RECIPES[name]


def build(name: str) -> nn.Module:
    """The trained network of that name, in eval mode.

    Raises:
        UsageError: there is none.
    """
    from models.stored import with_stored_weights

    return with_stored_weights(name)
