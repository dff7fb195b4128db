"""What a command line gave to the parameters of a kind, and whether what it reads is there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from bnfold.cli.file_type import FileType
from bnfold.cli.input_types import InputType
from bnfold.errors import DataError, UsageError


def given(
    command: click.Command, ctx: click.Context, kind: type[FileType]
) -> Iterator[tuple[click.Parameter, Any]]:
    """Every value that was given to a parameter of this kind."""
    for parameter in command.params:
        value = ctx.params.get(parameter.name or "")
        if isinstance(parameter.type, kind) and value is not None:
            for one in value if isinstance(value, tuple) else (value,):
                yield parameter, one


def label(parameter: click.Parameter) -> str:
    """The parameter as a user types it: its longest option, or the word in the usage line."""
    if isinstance(parameter, click.Option):
        return min(parameter.opts, key=len) if "-o" in parameter.opts else parameter.opts[-1]
    return (parameter.metavar or parameter.name or "").split()[0]


def input_records(ctx: click.Context) -> list[dict[str, Any]]:
    """A record of every file that the command reads: models, data, weights, code."""
    found: list[dict[str, Any]] = []
    for parameter, value in given(ctx.command, ctx, InputType):
        assert isinstance(parameter.type, InputType)
        found += [record for record in parameter.type.records(value) if record not in found]
    return found


def require_sources(command: click.Command, ctx: click.Context, kind: type[Any]) -> None:
    """Returns where what options, or arguments, name is there, as far as a look at it tells.

    Raises:
        UsageError: it is not, or it is something else.
    """
    for parameter, value in given(command, ctx, InputType):
        if not isinstance(parameter, kind):
            continue
        assert isinstance(parameter.type, InputType)
        try:
            parameter.type.require(value)
        except (UsageError, DataError) as error:
            is_option = isinstance(parameter, click.Option)
            raise UsageError(f"{label(parameter)} {error}" if is_option else str(error)) from error
