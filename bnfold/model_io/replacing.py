"""A model that changes all at once or not at all, at whatever moment its writer is stopped.

External data goes to a file that is called by its content. It is in its place before the graph that
reads it, and the graph is moved last, by one rename: until then the old graph reads the old data,
from then on the new one reads the new data. Data that nobody reads any more goes afterwards, here
or, if the writer dies before, in the next run that writes there.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from bnfold.model_io import leftovers
from bnfold.model_io.exchanging import Move, exchange
from bnfold.model_io.locking import hold, locked


class NewFile:
    """A file to write, under a name of its own until it takes its place; hashed as it is written.

    It has no descriptor to write past it: what is written goes through `write`.
    """

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path = path
        self._file = file
        self._digest = hashlib.sha256()

    def write(self, data: bytes | bytearray | memoryview) -> int:
        """Appends the bytes."""
        self._digest.update(data)
        return self._file.write(data)

    def tell(self) -> int:
        """How many bytes were written."""
        return self._file.tell()

    def content_name(self, model_name: str) -> str:
        """What data of this content is called beside a model of that name."""
        return leftovers.data_name(model_name, self._digest.hexdigest())

    def finish(self, mode_of: Path) -> None:
        """The bytes are on the disk; the file has the mode of the one that it replaces, if any."""
        self._file.flush()
        os.fsync(self._file.fileno())
        if mode_of.exists():
            self.path.chmod(stat.S_IMODE(mode_of.stat().st_mode))


class Replacement:
    """The new files of one model."""

    def __init__(self, target: Path, cleanup: contextlib.ExitStack) -> None:
        self._target = target
        self._cleanup = cleanup
        self.model = self._new_file()
        self.data: NewFile | None = None

    def open_data(self) -> NewFile:
        """The file for external data."""
        self.data = self._new_file()
        return self.data

    def _new_file(self) -> NewFile:
        path = self._target.with_name(leftovers.new_name(self._target.name))
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0)
        with locked(path.parent):  # who tidies up sees the file locked, or not at all
            self._cleanup.callback(leftovers.unlink, path)
            file = open(os.open(path, flags, 0o666), "wb")  # noqa: PTH123, SIM115
            self._cleanup.callback(file.close)
            hold(file.fileno())
        return NewFile(path, file)

    def take_place(self) -> None:
        """Moves the new files to their targets, and removes what nobody reads any more."""
        folder, name = self._target.parent, self._target.name
        self.model.finish(self._target)
        data = None if self.data is None else folder / self.data.content_name(name)
        if self.data is not None:
            self.data.finish(self._target)
        moves: list[Move] = [(self.model.path, self._target)]
        if self.data is not None and data is not None:
            moves.insert(0, (self.data.path, data))
        with locked(folder) as is_alone:
            old = leftovers.data_of(self._target)
            exchange(moves)
            if is_alone:
                leftovers.remove(folder, name, old, keep=[path for _, path in moves])


@contextlib.contextmanager
def replacement(target: Path) -> Iterator[Replacement]:
    """New files to write, which take the place of the model and its data when the block ends well.

    When anything fails, the new files are removed and the old ones are as they were.
    """
    with contextlib.ExitStack() as cleanup:
        new = Replacement(target, cleanup)
        yield new
        new.take_place()
