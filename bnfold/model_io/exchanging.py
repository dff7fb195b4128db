"""Files that change places all at once, or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from bnfold.model_io import leftovers

Move = tuple[Path | None, Path]
"""A new file and where it goes; None takes away what is there."""


def exchange(moves: Sequence[Move]) -> None:
    """Moves every new file to its target, in this order.

    Whoever reads a file that is moved here finds what it refers to, if that comes before it: each
    move is one rename. If one cannot be made, everything that was there before comes back. The
    folders are locked by the caller.
    """
    with contextlib.ExitStack() as cleanup, contextlib.ExitStack() as undo:
        for new, target in moves:
            is_there = os.path.lexists(target)
            if not is_there:
                undo.callback(_take_away, target)
            elif not leftovers.is_data(target):  # data of that name has the same content
                old = target.with_name(leftovers.old_name(target.name))
                cleanup.callback(old.unlink, missing_ok=True)
                _keep_as(old, target)
                undo.callback(old.replace, target)
            if new is None:
                target.unlink(missing_ok=True)
            else:
                new.replace(target)
            sync(target.parent)
        undo.pop_all()  # everything is in its place


def _take_away(target: Path) -> None:
    if target.is_dir():
        shutil.rmtree(target)
    else:
        target.unlink(missing_ok=True)


def _keep_as(old: Path, target: Path) -> None:
    """A second name for the file, so that the first is never without one."""
    try:
        old.hardlink_to(target)
    except OSError:  # a file system without hard links
        shutil.copy2(target, old)


def sync(folder: Path) -> None:
    """The names in the folder are on the disk, where the system can do that."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
