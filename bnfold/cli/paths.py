"""Where results may be written: asked before the work, so that nobody waits for a no."""

from __future__ import annotations

import os
from pathlib import Path

from bnfold.errors import UsageError


def require_target(path: Path) -> Path:
    """The path itself, if a file can be written there.

    Raises:
        UsageError: it is a folder, or its folder is missing or cannot be written.
    """
    if path.is_dir():
        raise UsageError(f"{path}: this is a folder; name a file to write")
    require_folder(path.parent)
    return path


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
        return require_folder(folder)
    require_folder(folder.parent)
    return folder
