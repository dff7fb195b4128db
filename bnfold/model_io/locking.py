"""Locks of files and folders, which the system drops when their holder dies."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[bool]:
    """Nobody else is in such a block for this folder; gives whether that is so.

    It is not where the system or the file system knows no locks.
    """
    if fcntl is None:
        yield False
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        yield _lock(handle, fcntl.LOCK_EX)
    finally:
        os.close(handle)


def hold(handle: int) -> None:
    """The open file counts as in use until it is closed, or its holder dies."""
    if fcntl is not None:
        _lock(handle, fcntl.LOCK_EX)


def is_held(path: Path) -> bool:
    """Whether somebody holds the file, or may: where there are no locks, nobody can tell."""
    if fcntl is None:
        return True
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError:
        return True
    try:
        return not _lock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.close(handle)


def _lock(handle: int, how: int) -> bool:
    assert fcntl is not None
    try:
        fcntl.flock(handle, how)
    except OSError:  # held by another, or a file system without locks
        return False
    return True
