"""What the commands of this package share: names of networks, and errors as one sentence."""

from __future__ import annotations

from typing import Any

import click

from bnfold.errors import BnfoldError
from models.recipe import Recipe
from models.registry import recipe_of


class Command(click.Command):
    """Whatever is wrong leaves as one sentence on stderr, with the exit code of its kind."""

    def invoke(self, ctx: click.Context) -> Any:
        """Runs it."""
        try:
            return super().invoke(ctx)
        except BnfoldError as error:
            told = click.ClickException(str(error))
            told.exit_code = error.exit_code
            raise told from error
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            raise click.ClickException(f"{where}{error.strerror or error}") from error


class NetworkName(click.ParamType):
    """The name of a network; the nearest is suggested for one that is not."""

    name = "network"

    def convert(
        self, value: str | Recipe, param: click.Parameter | None, ctx: click.Context | None
    ) -> Recipe:
        """The recipe of that name."""
        if isinstance(value, Recipe):
            return value
        try:
            return recipe_of(value)
        except BnfoldError as error:
            self.fail(str(error), param, ctx)


NETWORK = NetworkName()
