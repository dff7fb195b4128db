"""Files that are there whole or not at all, at whatever moment their writer is stopped."""

from __future__ import annotations

import os
from pathlib import Path

from bnfold.errors import UsageError


def write_whole(path: Path, data: bytes) -> None:
    """The file has these bytes; what it had before is there until then.

    Raises:
        UsageError: nothing can be written there.
    """
    new = path.with_name(f".{path.name}.new")
    try:
        with new.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}") from error


def folder_for_writing(path: Path) -> Path:
    """The folder, which is there and can be written to.

    Raises:
        UsageError: it is not, and says why.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe = path / f".probe-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise UsageError(f"{path}: nothing can be written there: {error.strerror}") from error
    return path
