"""Borders to code that is not ours: missing packages, and whatever a user's module may raise."""

from __future__ import annotations

import importlib
import io
import logging
import textwrap
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from types import ModuleType

from bnfold.errors import BnfoldError, MissingDependencyError

LONGEST = 300  # characters of a reason; a torch message may run over pages


def require(package: str) -> ModuleType:
    """The package, imported.

    Raises:
        MissingDependencyError: it, or something that it needs, is not installed.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        missing = (error.name or package).partition(".")[0]
        raise MissingDependencyError(
            f"this needs {missing}, which is not installed: "
            "pip install torch onnxscript safetensors"
        ) from error


def reason(error: BaseException) -> str:
    """The first line of what an error says about itself, with its kind: one clause."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    kind = type(error).__name__
    if lines and lines[0].count(")") > lines[0].count("("):  # of a bracket that torch never opened
        lines[0] = lines[0].removesuffix(")")
    return textwrap.shorten(f"{kind}: {lines[0].rstrip('.')}", LONGEST) if lines else kind


def root_cause(error: BaseException) -> BaseException:
    """The error at the start of the chain: exporters wrap it in pages of advice."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error


@contextmanager
def foreign_code(what: str, kind: type[BnfoldError]) -> Iterator[None]:
    """Whatever the code inside raises becomes one sentence that begins with `what`.

    This is the one place that catches every exception: a user's module and the exporter may raise
    anything, and none of it is a bug of ours. The cause stays chained.

    Raises:
        BnfoldError: of that kind; one that comes from the code inside passes as it is.
    """
    try:
        yield
    except BnfoldError:
        raise
    except (Exception, SystemExit) as error:
        raise kind(f"{what}: {reason(root_cause(error))}") from error


@contextmanager
def quiet() -> Iterator[None]:
    """What the code inside prints, warns of and logs is dropped: it is for its own authors."""
    sink = io.StringIO()
    level = logging.root.manager.disable
    logging.disable(max(level, logging.ERROR))
    try:
        with warnings.catch_warnings(), redirect_stdout(sink), redirect_stderr(sink):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
