"""What the calls tell Python's `logging`: nothing is shown unless a program asks for it.

Each call has a logger of its own name, as "bnfold.fold": that it begins and its steps at DEBUG,
what came of it at INFO. A call that raises logs nothing: its error says all.
"""

from __future__ import annotations

import functools
import logging
import os
from collections.abc import Callable
from time import perf_counter
from typing import Any, ParamSpec, TypeVar

from bnfold.escaping import shown
from bnfold.progress import Progress

P = ParamSpec("P")
R = TypeVar("R")

logging.getLogger("bnfold").addHandler(logging.NullHandler())


def logged(call: Callable[P, R]) -> Callable[P, R]:
    """The same call, which tells its logger."""
    logger = logging.getLogger(f"bnfold.{call.__name__}")

    @functools.wraps(call)
    def told(*args: P.args, **kwargs: P.kwargs) -> R:
        if not logger.isEnabledFor(logging.INFO):
            return call(*args, **kwargs)
        logger.debug("%s: begins", ", ".join(map(_named, args)) or call.__name__)
        if logger.isEnabledFor(logging.DEBUG) and "progress" in call.__annotations__:
            kwargs["progress"] = _steps(logger, kwargs.get("progress"))
        begun = perf_counter()
        result = call(*args, **kwargs)
        logger.info("%s after %.1f s", shown(repr(result)), perf_counter() - begun)
        return result

    return told


def _steps(logger: logging.Logger, given: Any) -> Progress:
    """Whoever is told of the steps is told on; the logger too."""

    def step(done: int, total: int, what: str) -> None:
        logger.debug("%s (%d of %d)", shown(what), done, total)
        if given is not None:
            given(done, total, what)

    return step


def _named(argument: object) -> str:
    """A path as it is given; of anything else its type."""
    if isinstance(argument, str | os.PathLike):
        return shown(os.fspath(argument))
    return type(argument).__name__
