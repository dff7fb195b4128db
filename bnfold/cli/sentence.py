"""What was raised, as one sentence for a person and an exit code for a program."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import click

from bnfold.errors import BnfoldError
from bnfold.escaping import shown

INTERRUPTED = 130  # 128 + SIGINT, as shells count
BAD_INPUT = 2
BUG = 5


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
    return f"bnfold: {on_one_line(sentence)}"


def _usage_sentence(error: click.ClickException) -> str:
    message = error.format_message().rstrip(".")
    message = f"{message[:1].lower()}{message[1:]}"
    message = re.sub(r"\. \(did you mean (.*\?)\)$", r"; did you mean \1", message, flags=re.I)
    context = error.ctx if isinstance(error, click.UsageError) else None
    if context is None:
        return message
    then = " See" if message.endswith("?") else "; see"
    return f"{message}{then} '{context.command_path} --help'"


def on_one_line(text: str) -> str:
    """The text without its line ends, as a terminal may have it."""
    return shown(" ".join(text.split()))
