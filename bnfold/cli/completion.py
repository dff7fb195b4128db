"""What a shell may complete: names that only bnfold knows."""

from __future__ import annotations

from collections.abc import Callable

import click

Complete = Callable[[click.Context, click.Parameter, str], list[str]]


def words(*choices: str) -> Complete:
    """Completes to one of these words."""

    def complete(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
        return [word for word in choices if word.startswith(incomplete)]

    return complete


def rules(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """The rules; nodes are too many to list."""
    from bnfold.fold.rules import RULE_NAMES

    return words(*RULE_NAMES)(ctx, parameter, incomplete)
