"""The border of the program: whatever is raised inside leaves as one sentence and an exit code."""

from __future__ import annotations

import logging
import os
import sys
import traceback
import warnings
from types import TracebackType

import click

from bnfold.cli.claims import STALE
from bnfold.cli.output import note
from bnfold.cli.sentence import exit_code, one_sentence
from bnfold.cli.verbosity import is_verbose
from bnfold.escaping import escaped

BROKEN_PIPE = 141  # 128 + SIGPIPE: the reader of our output has left, which is its right


class Border:
    """Inside, errors are raised; outside, they are a sentence on stderr and click's `Exit`."""

    def __init__(self, ctx: click.Context) -> None:
        self._ctx = ctx
        self._warnings = warnings.catch_warnings()

    def __enter__(self) -> None:
        for library in ("onnx_ir", "onnxscript"):  # they log tracebacks of what they recover from
            logging.getLogger(library).addHandler(logging.NullHandler())
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
            trace_text = "".join(traceback.format_exception(error))
            click.echo(escaped(trace_text, keep="\n"), err=True, nl=False)
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
            note(self._ctx, str(message))
        elif is_verbose(self._ctx):
            said = escaped(f"{filename}:{lineno}: {category.__name__}: {message}", keep="\n")
            click.echo(said, err=True)
