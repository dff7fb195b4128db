"""--quiet and --verbose, before or after the name of the command."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

QUIET = "bnfold.quiet"
VERBOSE = "bnfold.verbose"


def is_quiet(ctx: click.Context) -> bool:
    """True where only the exit code, and the sentence of an error, should tell the outcome."""
    return bool(ctx.meta.get(QUIET))


def is_verbose(ctx: click.Context) -> bool:
    """True where every detail is wanted, tracebacks too."""
    return bool(ctx.meta.get(VERBOSE))


def verbosity_options(command: Command) -> Command:
    """The command takes -q/--quiet and -v/--verbose; `is_quiet` and `is_verbose` tell."""
    quiet = click.option(
        "-q", "--quiet", is_flag=True, expose_value=False, callback=_remember(QUIET),
        help="Print nothing but errors.",
    )  # fmt: skip
    verbose = click.option(
        "-v", "--verbose", is_flag=True, expose_value=False, callback=_remember(VERBOSE),
        help="Print every detail, and the traceback of an error.",
    )  # fmt: skip
    return quiet(verbose(command))


def _remember(key: str) -> Callable[[click.Context, click.Parameter, bool], None]:
    def callback(ctx: click.Context, _: click.Parameter, value: bool) -> None:
        if value:
            ctx.meta[key] = True  # shared by the group's context and the command's
        if is_quiet(ctx) and is_verbose(ctx):
            ctx.meta[VERBOSE] = False  # the sentence is enough
            raise click.UsageError("--quiet and --verbose exclude each other", ctx)

    return callback
