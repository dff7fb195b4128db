"""A model that changes all at once or not at all, at whatever moment its writer is stopped.

External data goes to files that are called by their content. They are in place before the graph
that reads them, and the graph is moved last, by one rename: until then the old graph reads the old
data, from then on the new one reads the new data. Data that nobody reads any more goes afterwards,
here or, if the writer dies before, in the next run that writes there.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from bnfold.model_io import leftovers
from bnfold.model_io.digest import Digest
from bnfold.model_io.exchanging import Move, exchange
from bnfold.model_io.locking import locked

_AT_ONCE = 1 << 17  # bytes of a write: for larger ones the system looks for larger blocks of memory
_BEGUN_TOGETHER = 1 << 23  # bytes the disk is told of at once: of more, some may be let go


class NewFile:
    """A file to write, under a name of its own until it takes its place.

    Args:
        path: that name.
        file: is at its begin.
        digest: of what is written, where the file will be called by its content.

    It has no descriptor to write past it: what is written goes through `write`.
    """

    def __init__(self, path: Path, file: BinaryIO, digest: Digest | None = None) -> None:
        self.path = path
        self._file = file
        self._digest = digest
        self._begun = 0

    def write(self, data: bytes | memoryview) -> int:
        """Appends the bytes, which nobody may change afterwards."""
        if self._digest is not None:
            self._digest.update(data)
        if len(data) <= _AT_ONCE:
            return self._file.write(data)
        count = sum(self._file.write(part) for part in _parts_of(memoryview(data)))
        self._begin_to_store()
        return count

    def _begin_to_store(self) -> None:
        """The disk takes what was written while more is computed: `finish` has little to wait for.

        What is not on the disk yet, which is all of it, stays in the system's memory.
        """
        here = self._file.tell()
        if sys.platform.startswith("linux") and here - self._begun >= _BEGUN_TOGETHER:
            length, advice = here - self._begun, os.POSIX_FADV_DONTNEED
            os.posix_fadvise(self._file.fileno(), self._begun, length, advice)
            self._begun = here

    def tell(self) -> int:
        """How many bytes were written."""
        return self._file.tell()

    def content_name(self, name: str) -> str:
        """What data of this content is called, where it is called so otherwise."""
        assert self._digest is not None, "only data is called by its content"
        return leftovers.data_name(name, self._digest.hex())

    def finish(self) -> None:
        """The bytes are on the disk, and no more come."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()


class Replacement:
    """The new files of one model, in a folder beside it that is in use until the end."""

    def __init__(self, target: Path, cleanup: contextlib.ExitStack) -> None:
        self._target = target
        self._cleanup = cleanup
        self._folder = leftovers.new_folder(target, cleanup)
        self.model = self._new_file(target.name)
        self._data: list[tuple[NewFile, str]] = []

    @contextlib.contextmanager
    def data_file(self, name: str) -> Iterator[NewFile]:
        """A file for external data, whole when the block ends well; `name` is what it is called."""
        with contextlib.closing(Digest()) as digest:
            file = self._new_file(f"{len(self._data)}.data", digest)
            yield file
            file.finish()
        self._data.append((file, name))

    def _new_file(self, name: str, digest: Digest | None = None) -> NewFile:
        path = self._folder / name
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0)
        file = open(os.open(path, flags, 0o666), "wb")  # noqa: PTH123, SIM115
        self._cleanup.callback(file.close)
        return NewFile(path, file, digest)

    def take_place(self) -> None:
        """Moves the new files to their targets, and removes what nobody reads any more."""
        folder, name = self._target.parent, self._target.name
        self.model.finish()
        moves: list[Move] = [
            (file.path, folder / file.content_name(plain)) for file, plain in self._data
        ]
        moves.append((self.model.path, self._target))
        if self._target.exists():  # the new files have the mode of the one that they replace
            mode = stat.S_IMODE(self._target.stat().st_mode)
            for new, _ in moves:
                assert new is not None
                new.chmod(mode)
        with locked(folder) as is_alone:
            old = leftovers.data_of(self._target)
            exchange(moves)
            if is_alone:
                leftovers.remove(folder, name, old, keep=[path for _, path in moves])


def _parts_of(data: memoryview) -> Iterator[memoryview]:
    for begin in range(0, len(data), _AT_ONCE):
        yield data[begin : begin + _AT_ONCE]


@contextlib.contextmanager
def replacement(target: Path) -> Iterator[Replacement]:
    """New files to write, which take the place of the model and its data when the block ends well.

    When anything fails, the new files are removed and the old ones are as they were.
    """
    with contextlib.ExitStack() as cleanup:
        new = Replacement(target, cleanup)
        yield new
        new.take_place()
