"""Where results may be written: asked before the work, so that nobody waits for a no."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from bnfold.errors import UsageError

_NO_ENDS = (
    (stat.S_ISFIFO, "a named pipe, where nobody may be reading"),
    (stat.S_ISBLK, "a disk"),
    (stat.S_ISSOCK, "a socket"),
)


def require_target(path: Path) -> Path:
    """The path itself, if a file can be written there.

    Raises:
        UsageError: it is a folder or a device that takes no text, or no file can be made there.
    """
    if path.is_dir():
        raise UsageError(f"{path}: this is a folder; name a file to write")
    require_end(path)
    if not path.exists() or path.is_file():
        require_folder(path.parent)
        _require_place(path)
    return path


def file_path(text: str) -> Path:
    """The path that a user wrote for a file.

    Raises:
        UsageError: it ends as that of a folder does, which a path by itself no longer tells.
    """
    if text.endswith(("/", os.sep)):
        raise UsageError(f"{text}: this is the path of a folder; name a file to write")
    return Path(text)


def require_end(path: Path) -> None:
    """Returns where nothing is there, or what takes text: a file, /dev/null, a pipe of a shell.

    Raises:
        UsageError: what is there takes none, or would keep this waiting.
    """
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise UsageError(f"{path}: {(error.strerror or '').lower()}") from error
    if stat.S_ISFIFO(mode) and Path(os.path.realpath(path)).parts[1:2] in (("proc",), ("dev",)):
        return  # stdout, or `>(command)`: it is open already
    for is_kind, what in _NO_ENDS:
        if is_kind(mode):
            raise UsageError(f"{path}: this is {what}; name a file to write")


def require_folder(folder: Path) -> Path:
    """The folder itself, if files can be written into it.

    Raises:
        UsageError: it cannot be there.
    """
    if not folder.exists():
        raise UsageError(f"{folder}: there is no such folder to write to; make it first")
    if not folder.is_dir():
        raise UsageError(f"{folder}: this is a file, not a folder to write to")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(f"{folder}: this folder cannot be written to")
    return folder


def require_new_folder(folder: Path) -> Path:
    """The folder itself, if it is there and can be written into, or can be made.

    Raises:
        UsageError: neither; the sentence says why.
    """
    if os.path.lexists(folder):
        require_folder(folder)
        _require_place(folder / "new")
    else:
        require_folder(folder.parent)
        _require_place(folder)
    return folder


def _require_place(path: Path) -> None:
    """Returns where files can be made and moved there, which permissions alone do not tell.

    Raises:
        UsageError: they cannot: /proc, a full disk, a name too long, another user's file in /tmp.
    """
    from bnfold.model_io import require_place

    try:
        require_place(path)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise UsageError(f"{path}: no file can be made there: {why}") from error
    if path.is_file() and _is_kept(Path(os.path.realpath(path))):
        raise UsageError(
            f"{path}: this file is another user's, in a folder where only they replace it"
        )


def _is_kept(path: Path) -> bool:
    """Whether the folder lets nobody but its own user and the file's replace the file."""
    folder, file, user = path.parent.stat(), path.stat(), getattr(os, "geteuid", lambda: 0)()
    return bool(folder.st_mode & stat.S_ISVTX) and user not in (0, folder.st_uid, file.st_uid)
