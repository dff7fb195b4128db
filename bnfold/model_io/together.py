"""Results of several kinds, in several folders, that appear all at once or not at all."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path
from types import TracebackType

from bnfold.model_io import leftovers
from bnfold.model_io.exchanging import Move, exchange
from bnfold.model_io.locking import locked
from bnfold.model_io.naming import naming


class Together:
    """Inside, files are written aside; at the end of a good block they are in their places.

    When the block fails, or one of them cannot be moved, everything is as it was, and the error
    speaks of the files as they were named.
    """

    def __init__(self) -> None:
        self._targets: dict[Path, Path] = {}  # where it will be -> where it is written
        self._named: dict[str, str] = {}  # where it is written -> what the caller calls it
        self._gone: list[Path] = []
        self._held = contextlib.ExitStack()

    def __enter__(self) -> Together:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                self._commit()
            else:
                self._tell_targets(error)
        except OSError as own:
            self._tell_targets(own)
            raise
        finally:
            self._held.close()

    def aside(self, target: Path) -> Path:
        """Where to write what will be at `target`: a file, files beside it, or a folder.

        The folder of the path that is returned is empty and on the same disk; whatever is in it at
        the end goes to the target's folder. A symbolic link stays one, what it points to changes.
        """
        real = Path(os.path.realpath(target))
        if real not in self._targets:
            with naming(target):
                folder = leftovers.new_folder(real, self._held)
                aside = folder / "new" / real.name
                aside.parent.mkdir()  # writers lock it, so it is not the one that is held
            self._targets[real] = aside
            self._named[str(aside)] = os.fspath(target)
        return self._targets[real]

    def write(self, target: Path, content: bytes) -> None:
        """The content will be at the target.

        Raises:
            OSError: it cannot be written; `filename` is the target.
        """
        aside = self.aside(target)
        with naming(target):
            aside.write_bytes(content)

    def drop(self, target: Path) -> None:
        """What was written aside for the target is forgotten, and what is beside it."""
        for path in self.aside(target).parent.iterdir():
            path.unlink()

    def remove(self, target: Path) -> None:
        """The file will be gone; nothing where there is none."""
        self._gone.append(Path(os.path.realpath(target)))

    def _tell_targets(self, error: BaseException) -> None:
        """The error names what will be written, and not where it is written for the time being."""
        for aside, target in self._named.items():
            if isinstance(error, OSError):
                if os.fspath(error.filename or "") == aside:
                    error.filename = target
            else:
                parts = error.args
                error.args = tuple(
                    part.replace(aside, target) if isinstance(part, str) else part for part in parts
                )

    def _commit(self) -> None:
        news: list[Move] = []
        for target, aside in self._targets.items():
            # The file that was named comes last: what it refers to is there before it.
            for new in sorted(aside.parent.iterdir(), key=lambda path: (path == aside, path)):
                news += _moves(new, target.with_name(new.name))
        for moved, to in news:
            if moved is not None and to.is_file():
                moved.chmod(stat.S_IMODE(to.stat().st_mode))
        written = {to for _, to in news}
        gone = [path for path in self._gone if path not in written and os.path.lexists(path)]
        folders = sorted({path.parent for path in [*written, *gone]})
        with contextlib.ExitStack() as locks:
            alone = [locks.enter_context(locked(folder)) for folder in folders]
            old = {target: leftovers.data_of(target) for target in self._targets}
            exchange([*news, *((None, path) for path in gone)])
            for target in self._targets if all(alone) else ():
                data = [path for path in written if path.parent == target.parent]
                leftovers.remove(target.parent, target.name, old[target], keep=data)


def require_place(target: Path) -> None:
    """Returns where new files can be written beside the target, as `Together` does; none is left.

    Raises:
        OSError: they cannot.
    """
    with naming(target), contextlib.ExitStack() as cleanup:
        leftovers.new_folder(Path(os.path.realpath(target)), cleanup)


def _moves(new: Path, target: Path) -> list[Move]:
    """One move; of a folder whose target is there already, one for each thing in it."""
    if new.is_dir() and target.is_dir():
        return [
            move for inner in sorted(new.iterdir()) for move in _moves(inner, target / inner.name)
        ]
    return [(new, target)]
