"""The one rule at the border: nothing that a user owns is overwritten by accident.

No target is an input, another target, or an existing file of another kind. The rule reads the
types of a command's parameters, so it holds for an option that is added tomorrow.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from bnfold.cli.file_type import FileType
from bnfold.cli.kinds import what_is_there
from bnfold.cli.sources import Source
from bnfold.cli.targets import Target
from bnfold.errors import UsageError

FORCE = "bnfold.force"
STALE = "bnfold.stale"  # in a context's meta: reports of an earlier run that were taken away


@dataclass(frozen=True)
class Claim:
    """One file that a command would write: for which option, and under which value."""

    option: str
    kind: Target
    value: Any
    path: Path


@dataclass(frozen=True)
class Report:
    """A report that was there before, and which file it was then."""

    path: Path
    identity: tuple[int, ...]


class GuardedCommand(click.Command):
    """A command that keeps the rule, before any work.

    When the work fails, the reports of an earlier run are gone from where this one's would be: an
    old verdict must not pass for the new one.
    """

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command, if what it would write is free to be written."""
        reports = require_free(self, ctx)
        try:
            return super().invoke(ctx)
        except click.exceptions.Exit:
            raise
        except BaseException:
            ctx.meta[STALE] = [report.path for report in reports if _taken_away(report)]
            raise


def force_option(command: Any) -> Any:
    """The command takes --force: files of another kind may be replaced."""
    option = click.option(
        "--force", is_flag=True, expose_value=False, callback=_remember,
        help="Replace files of another kind; never an input.",
    )  # fmt: skip
    return option(command)


def _remember(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    ctx.meta[FORCE] = value


def require_free(command: click.Command, ctx: click.Context) -> list[Report]:
    """The reports that are where this run's will be, if everything that it writes is free.

    Raises:
        UsageError: a target is an input, another target, a file of another kind, or nowhere.
    """
    claims: list[Claim] = []
    for parameter, value in _given(command, ctx, Target):
        kind = parameter.type
        assert isinstance(kind, Target)
        try:
            kind.require(value)
        except UsageError as error:
            raise UsageError(f"{label(parameter)} {error}") from error
        claims += [Claim(label(parameter), kind, value, path) for path in kind.files(value)]
    if not claims:
        return []
    _refuse_inputs(claims, command, ctx)
    _refuse_twice(claims)
    if not ctx.meta.get(FORCE):
        _refuse_other_kinds(claims)
    return [
        Report(claim.path, _identity(claim.path))
        for claim in claims
        if claim.kind.is_report and claim.path.is_file() and _is_ours(claim)
    ]


def label(parameter: click.Parameter) -> str:
    """The parameter as a user types it: its longest option, or the word in the usage line."""
    if isinstance(parameter, click.Option):
        return min(parameter.opts, key=len) if "-o" in parameter.opts else parameter.opts[-1]
    return (parameter.metavar or parameter.name or "").split()[0]


def _given(
    command: click.Command, ctx: click.Context, kind: type[FileType]
) -> Iterator[tuple[click.Parameter, Any]]:
    """Every value that was given to a parameter of this kind."""
    for parameter in command.params:
        value = ctx.params.get(parameter.name or "")
        if isinstance(parameter.type, kind) and value is not None:
            for one in value if isinstance(value, tuple) else (value,):
                yield parameter, one


def _refuse_inputs(claims: list[Claim], command: click.Command, ctx: click.Context) -> None:
    for parameter, value in _given(command, ctx, Source):
        assert isinstance(parameter.type, Source)
        files = list(parameter.type.files(value))
        for claim in claims:
            for file in files:
                if is_same(claim.path, file) and not _is_in_place(claim, parameter, value, files):
                    raise UsageError(
                        f"{claim.option} {claim.path}: this is read by the same command "
                        f"({label(parameter)} {value}) and would be lost; name another file"
                    )


def _is_in_place(claim: Claim, parameter: click.Parameter, value: Any, files: list[Path]) -> bool:
    """Whether a model takes the place of the very model that it was made from."""
    is_allowed = claim.kind.may_be is not None and claim.kind.may_be == parameter.name
    return is_allowed and is_same(claim.value, value) and files[0] == value


def _refuse_twice(claims: list[Claim]) -> None:
    for index, claim in enumerate(claims):
        for other in claims[:index]:
            if is_same(claim.path, other.path):
                raise UsageError(
                    f"{claim.option} {claim.path}: {other.option} {other.value} writes there too; "
                    "name two files"
                )


def _refuse_other_kinds(claims: list[Claim]) -> None:
    for claim in claims:
        if os.path.lexists(claim.path) and not _is_ours(claim):
            raise UsageError(
                f"{claim.option} {claim.path}: {_what(claim)} is there already, which "
                f"{claim.kind.noun} would destroy; name another file, or add --force"
            )


def _is_ours(claim: Claim) -> bool:
    path = claim.path
    if path.exists() and not (path.is_file() or path.is_dir()):
        return True  # /dev/null, a pipe: nothing is kept there
    is_empty = path.is_file() and path.stat().st_size == 0
    return is_empty or not path.exists() or claim.kind.is_ours(path, claim.value)


def _what(claim: Claim) -> str:
    return "a folder" if claim.path.is_dir() else what_is_there(claim.path)


def is_same(a: Path, b: Path) -> bool:
    """Whether both are one file: by path, through links, or by inode."""
    if os.path.realpath(a) == os.path.realpath(b):
        return True
    try:
        return a.samefile(b)
    except OSError:
        return False


def _identity(path: Path) -> tuple[int, ...]:
    found = path.stat()
    return (found.st_ino, found.st_size, found.st_mtime_ns)


def _taken_away(report: Report) -> bool:
    """Whether the report was still the earlier one, and is gone now."""
    try:
        if _identity(report.path) != report.identity:
            return False
        report.path.unlink()
    except OSError:
        return False
    return True
