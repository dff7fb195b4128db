"""Errors of the system that name the file that is meant."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def naming(file: str | os.PathLike[str]) -> Iterator[None]:
    """What the system refuses inside is an error of this file: of a full disk it names none.

    Raises:
        OSError: with this `filename`.
    """
    try:
        yield
    except OSError as error:
        error.filename, error.filename2 = os.fspath(file), None
        raise
