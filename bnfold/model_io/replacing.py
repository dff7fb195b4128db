"""Files that change all at once or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

try:
    import fcntl
except ImportError:  # Windows: os.replace is still atomic for each file
    fcntl = None  # type: ignore[assignment]


@contextlib.contextmanager
def replace_together(model: Path, data: Path | None) -> Iterator[tuple[BinaryIO, BinaryIO | None]]:
    """New files to write, which take the places of `model` and `data` when the block ends well.

    They are written beside their targets under names of their own and flushed to the disk first.
    While both are exchanged the folder is locked, so that of two processes that write the same
    model each leaves a whole pair. When anything fails, the new files are removed and the old ones
    are as they were. A file keeps its mode.
    """
    targets = [model] if data is None else [data, model]
    news = [name_beside(target, "new") for target in targets]
    with contextlib.ExitStack() as cleanup:
        for new in news:
            cleanup.callback(new.unlink, missing_ok=True)
        files = [cleanup.enter_context(_create(new)) for new in news]
        yield files[-1], None if data is None else files[0]
        for file, new, target in zip(files, news, targets, strict=True):
            file.flush()
            os.fsync(file.fileno())
            file.close()
            if target.exists():
                new.chmod(stat.S_IMODE(target.stat().st_mode))
        with locked(model.parent):
            exchange(list(zip(news, targets, strict=True)))


def name_beside(target: Path, what: str) -> Path:
    """A name that nothing has, in the target's folder."""
    return target.with_name(f".{target.name}.{secrets.token_hex(6)}.{what}")


def _create(path: Path) -> BinaryIO:
    """A new file for writing, with the mode that the user's umask gives."""
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0)
    return open(os.open(path, flags, 0o666), "wb")  # noqa: PTH123


def exchange(pairs: Sequence[tuple[Path | None, Path]]) -> None:
    """Moves every new file to its target, in this order; None takes the target away.

    If one cannot be moved, everything that was there before comes back.
    """
    with contextlib.ExitStack() as cleanup, contextlib.ExitStack() as undo:
        for new, target in pairs:
            if os.path.lexists(target):
                old = name_beside(target, "old")
                cleanup.callback(old.unlink, missing_ok=True)
                undo.callback(old.replace, target)
                _keep_as(old, target)
            else:
                undo.callback(_take_away, target)
            if new is None:
                target.unlink(missing_ok=True)
            else:
                new.replace(target)
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
        target.replace(old)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """The folder's lock, which the system drops if the process dies; no file is left behind."""
    if fcntl is None:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
        with contextlib.suppress(OSError):
            os.fsync(handle)
    finally:
        os.close(handle)
