"""Opens the files of a model: regular ones, and external data only from within its folder.

A model says where its external data lies, and whoever made it may have meant other files than its
own. onnx's defence is kept to: no path that leads outside, no symbolic link on the way, no file
that has a second name, nothing but a regular file; and what is checked is what was opened.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path, PureWindowsPath

from bnfold.errors import DataError, ModelError

_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
_READ = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
_WITHOUT_WAITING = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)  # a FIFO would wait
_CAN_STEP = os.open in os.supports_dir_fd  # not on Windows


def open_model(path: Path) -> int:
    """The descriptor of a regular file.

    Raises:
        OSError: It cannot be opened.
        ModelError: It is something else; the message is one clause, without the path.
    """
    _require_regular(path.stat().st_mode)  # a socket cannot be opened at all
    handle = os.open(path, _READ | _WITHOUT_WAITING)
    with _closed_on_error(handle):
        _require_regular(os.fstat(handle).st_mode)
    return handle


def require_file(path: Path) -> None:
    """Returns where the path leads to a regular file with something in it that can be read.

    What reads files by their names waits for ever at a pipe, and reads a device without end.

    Raises:
        DataError: it does not; the sentence says to what.
    """
    try:
        handle = open_model(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DataError(f"{path}: no such file") from error
    except ModelError as error:
        raise DataError(f"{path}: {error}") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {(error.strerror or '').lower()}") from error
    size = os.fstat(handle).st_size
    os.close(handle)
    if size == 0:
        raise DataError(f"{path}: is empty")


def open_data(folder: Path, location: str) -> int:
    """The descriptor of external data that lies in the model's folder, or below.

    Raises:
        OSError: It cannot be opened.
        ModelError: It is not what data may be; the message is one clause, without the path.
    """
    parts = parts_of(location)
    with contextlib.ExitStack() as cleanup:
        at = _Place(folder, None)
        if _CAN_STEP:
            at = at.opened(cleanup, follow=True)
        for part in parts[:-1]:
            at = at.step(part)
            mode = at.mode()
            if stat.S_ISLNK(mode):
                raise ModelError(f"its folder {part!r} is a symbolic link, which may lead anywhere")
            if _CAN_STEP:
                at = at.opened(cleanup, follow=False)
        file = at.step(parts[-1])
        _require_regular(file.mode())  # before it is opened: that alone does something to a device
        handle = file.open(_WITHOUT_WAITING | _NO_FOLLOW)
    with _closed_on_error(handle):
        found = os.fstat(handle)
        _require_regular(found.st_mode)
        if found.st_nlink > 1:
            raise ModelError("is a hard link: it has another name too, maybe elsewhere; copy it")
    return handle


def parts_of(location: str) -> tuple[str, ...]:
    """The steps from the model's folder to its data.

    Raises:
        ModelError: They lead elsewhere.
    """
    there = PureWindowsPath(location)  # knows both kinds of slashes, and drives
    if not there.parts or ".." in there.parts or there.anchor or "\0" in location:
        raise ModelError(f"the external data path {location!r} leaves the model's folder")
    return there.parts


class _Place:
    """A path, and the descriptor of the folder that it starts from, if any."""

    def __init__(self, path: Path, folder: int | None) -> None:
        self._path = path
        self._folder = folder

    def step(self, part: str) -> _Place:
        if self._folder is not None:
            return _Place(Path(part), self._folder)
        return _Place(self._path / part, None)

    def mode(self) -> int:
        return os.stat(self._path, dir_fd=self._folder, follow_symlinks=False).st_mode

    def open(self, flags: int) -> int:
        return os.open(self._path, _READ | flags, dir_fd=self._folder)

    def opened(self, cleanup: contextlib.ExitStack, *, follow: bool) -> _Place:
        """The folder, held open, so that further steps start there whatever happens to names."""
        handle = self.open(os.O_DIRECTORY | (0 if follow else _NO_FOLLOW))
        cleanup.callback(os.close, handle)
        return _Place(self._path, handle)


def _require_regular(mode: int) -> None:
    if stat.S_ISREG(mode):
        return
    kinds = (
        (stat.S_ISLNK, "is a symbolic link, which may lead anywhere; copy the file there"),
        (stat.S_ISDIR, "is a folder"),
        (stat.S_ISFIFO, "is a named pipe, not a regular file"),
        (stat.S_ISSOCK, "is a socket, not a regular file"),
    )
    for is_kind, what in kinds:
        if is_kind(mode):
            raise ModelError(what)
    raise ModelError("is a device, not a regular file")


@contextlib.contextmanager
def _closed_on_error(handle: int) -> Iterator[None]:
    try:
        yield
    except BaseException:
        os.close(handle)
        raise
