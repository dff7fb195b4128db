"""The border of the program: whatever is raised inside leaves as one sentence and an exit code."""

from __future__ import annotations

import os
import sys
import traceback
import warnings
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import click

from bnfold.cli.claims import STALE
from bnfold.cli.verbosity import is_verbose
from bnfold.errors import BnfoldError

INTERRUPTED = 130  # 128 + SIGINT, as shells count
BROKEN_PIPE = 141  # 128 + SIGPIPE: the reader of our output has left, which is its right
BAD_INPUT = 2
BUG = 5


class Border:
    """Inside, errors are raised; outside, they are a sentence on stderr and click's `Exit`."""

    def __init__(self, ctx: click.Context) -> None:
        self._ctx = ctx
        self._warnings = warnings.catch_warnings()

    def __enter__(self) -> None:
        self._warnings.__enter__()
        warnings.showwarning = self._show_warning

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._warnings.__exit__(kind, error, trace)
        if error is None or isinstance(error, click.exceptions.Exit | SystemExit):
            return
        if isinstance(error, BrokenPipeError):
            # Python flushes stdout once more on its way out; let that succeed.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise click.exceptions.Exit(BROKEN_PIPE)
        if is_verbose(self._ctx) and not isinstance(error, KeyboardInterrupt):
            click.echo("".join(traceback.format_exception(error)), err=True, nl=False)
        click.echo(one_sentence(error, gone=self._ctx.meta.get(STALE, ())), err=True)
        raise click.exceptions.Exit(exit_code(error)) from error

    def _show_warning(
        self,
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: object = None,
        line: str | None = None,
    ) -> None:
        """Our own warnings are for the user; those of the libraries below only for the curious."""
        if category is UserWarning and f"{os.sep}bnfold{os.sep}" in filename:
            click.echo(f"bnfold: note: {_on_one_line(str(message))}", err=True)
        elif is_verbose(self._ctx):
            click.echo(f"{filename}:{lineno}: {category.__name__}: {message}", err=True)


def exit_code(error: BaseException) -> int:
    """The exit code that the error stands for."""
    if isinstance(error, BnfoldError | click.ClickException):
        return error.exit_code
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return INTERRUPTED
    return BAD_INPUT if isinstance(error, OSError | MemoryError) else BUG


def one_sentence(error: BaseException, *, gone: Sequence[Path] = ()) -> str:
    """What happened, on one line, for a person; `gone` are reports of an earlier run."""
    match error:
        case KeyboardInterrupt() | click.Abort():
            sentence = f"interrupted; {'no model' if gone else 'nothing'} was changed"
        case BnfoldError():
            sentence = str(error)
        case click.ClickException():
            sentence = _usage_sentence(error)
        case OSError():
            where = f"{error.filename}: " if error.filename else ""
            sentence = f"{where}{(error.strerror or str(error)).lower()}"
        case MemoryError():
            sentence = "there is not enough memory for this model"
        case _:
            sentence = (
                f"this is a bug in bnfold: {type(error).__name__}: {error}; "
                "please report it with the traceback that --verbose shows"
            )
    if gone:
        listed = " and ".join(map(str, gone))
        sentence = f"{sentence}; {listed} told of an earlier run and was removed"
    return f"bnfold: {_on_one_line(sentence)}"


def _usage_sentence(error: click.ClickException) -> str:
    message = error.format_message().rstrip(".")
    message = f"{message[:1].lower()}{message[1:]}"
    context = error.ctx if isinstance(error, click.UsageError) else None
    if context is None:
        return message
    then = " See" if message.endswith("?") else "; see"
    return f"{message}{then} '{context.command_path} --help'"


def _on_one_line(text: str) -> str:
    return " ".join(text.split())
