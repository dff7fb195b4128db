"""What a caller in Python gives for an argument, or a sentence that says what it has to be."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

from bnfold.errors import UsageError


def names(what: str, given: Any) -> tuple[str, ...]:
    """The names, each once; one alone may be a plain string.

    Raises:
        UsageError: it is neither a name nor several.
    """
    found = (given,) if isinstance(given, str) else _several(f"{what} is a name or several", given)
    if not all(isinstance(name, str) for name in found):
        raise UsageError(f"{what} is a name or several, not {given!r}")
    return tuple(dict.fromkeys(found))


def paths(what: str, given: Any) -> tuple[str, ...]:
    """The paths; one alone may stand by itself.

    Raises:
        UsageError: it is neither a path nor several.
    """
    if isinstance(given, str | os.PathLike):
        return (path(what, given),)
    return tuple(path(what, each) for each in _several(f"{what} is a path or several", given))


def _several(wanted: str, given: Any) -> tuple[Any, ...]:
    if not isinstance(given, Iterable) or isinstance(given, bytes):
        raise UsageError(f"{wanted}, not {given!r}")
    return tuple(given)


def path(what: str, given: Any) -> str:
    """The path.

    Raises:
        UsageError: it is none.
    """
    if not isinstance(given, str | os.PathLike):
        raise UsageError(f"{what} is a path, not {given!r}")
    return os.fsdecode(given)


def whole(what: str, given: Any, *, least: int) -> int:
    """The whole number.

    Raises:
        UsageError: it is none, or a smaller one.
    """
    if isinstance(given, bool) or not hasattr(given, "__index__"):
        raise UsageError(f"{what} must be a whole number, not {given!r}")
    if given < least:
        raise UsageError(f"{what} must be {_at_least(least)}, not {given}")
    return int(given)


def _at_least(least: int) -> str:
    return f"at least {least}" if least else "0 or more"


def by_name(what: str, given: Any) -> Mapping[str, Any]:
    """What is given for each name.

    Raises:
        UsageError: it is no mapping.
    """
    if not isinstance(given, Mapping):
        raise UsageError(f"{what} is a dict by name, not {given!r}")
    return given
