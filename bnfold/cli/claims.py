"""The one rule at the border: nothing that a user owns is overwritten by accident.

No target is an input, another target, or an existing file of another kind. The rule reads the
types of a command's parameters, so it holds for an option that is added tomorrow.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from bnfold.cli.file_kinds import what_is_there
from bnfold.cli.given import given, label, require_sources
from bnfold.cli.input_types import InputType
from bnfold.cli.output import put_text
from bnfold.cli.output_types import Target
from bnfold.cli.paths import require_end
from bnfold.cli.sentence import one_sentence
from bnfold.errors import DataError, ModelError, UsageError

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
    """A report that is to be written.

    Attributes:
        path, kind: where, and of what kind.
        identity: which file was there before; None where none was.
        is_earlier: that file is a report of ours.
    """

    path: Path
    kind: Target
    identity: tuple[int, ...] | None
    is_earlier: bool

    def failed(self, error: BaseException) -> Path | None:
        """The report tells of the failure, or is not there; its path where it was taken away."""
        try:
            if _identity(self.path) != self.identity:
                return None  # it is written already, and what failed came later
        except OSError:
            return None
        from bnfold.model_io import Together

        told = self.kind.told_of(one_sentence(error))
        if told is not None:
            with suppress(OSError), Together() as files:
                put_text(told, self.path, files)
                return None
        if self.is_earlier:
            with suppress(OSError):
                self.path.unlink()
                return self.path
        return None


class GuardedCommand(click.Command):
    """A command that keeps the rule, before any work.

    When the work fails, the reports of an earlier run are gone from where this one's would be: an
    old verdict must not pass for the new one. Where the kind of report can say so, it says that
    the work failed.
    """

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command, if what it would write is free to be written."""
        reports = require_free(self, ctx)
        try:
            return self._invoke(ctx)
        except click.exceptions.Exit:
            raise
        except BaseException as error:
            gone = [report.failed(error) for report in reports]
            ctx.meta[STALE] = [path for path in gone if path is not None]
            raise

    def _invoke(self, ctx: click.Context) -> Any:
        """Runs the command; what cannot be read is told with what may have been meant.

        What options name is looked at before any work. Arguments are told of by the work: there
        may be several models, of which the others are of use.
        """
        require_sources(self, ctx, click.Option)
        try:
            return super().invoke(ctx)
        except (ModelError, DataError):
            require_sources(self, ctx, click.Argument)
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
    """The reports that this run writes, if everything that it writes is free.

    Raises:
        UsageError: a target is an input, another target, a file of another kind, or nowhere.
    """
    claims: list[Claim] = []
    for parameter, value in given(command, ctx, Target):
        kind = parameter.type
        assert isinstance(kind, Target)
        try:
            kind.require(value)
            for path in kind.files(value):
                require_end(path)
        except UsageError as error:
            raise UsageError(f"{label(parameter)} {error}") from error
        claims += [Claim(label(parameter), kind, value, path) for path in kind.claimed(value)]
    if not claims:
        return []
    _refuse_inputs(claims, command, ctx)
    _refuse_twice(claims)
    if not ctx.meta.get(FORCE):
        _refuse_other_kinds(claims)
    return [
        Report(claim.path, claim.kind, _identity(claim.path), _is_earlier(claim))
        for claim in claims
        if claim.kind.is_report
    ]


def _refuse_inputs(claims: list[Claim], command: click.Command, ctx: click.Context) -> None:
    for parameter, value in given(command, ctx, InputType):
        assert isinstance(parameter.type, InputType)
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


def _is_earlier(claim: Claim) -> bool:
    return claim.path.is_file() and _is_ours(claim)


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


def _identity(path: Path) -> tuple[int, ...] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return (found.st_ino, found.st_size, found.st_mtime_ns)
