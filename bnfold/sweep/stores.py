"""A store that fsspec knows by its URL, and copies of the models that are there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

from bnfold.errors import MissingDependencyError, ModelError, UsageError
from bnfold.torch_code.foreign import foreign_code


def is_url(source: str) -> bool:
    """Whether it names a store: `s3://bucket/net.onnx`."""
    return "://" in source


def path_in_url(source: str) -> PurePosixPath:
    """Where it is in its store; what the store itself is in, after `::`, left away."""
    return PurePosixPath(source.partition("://")[2].partition("::")[0])


@dataclass(frozen=True)
class Store:
    """A file system of fsspec, and the place in it that a URL names."""

    system: Any
    path: str
    given: str

    def url(self, path: str) -> str:
        """What names another place of the same store."""
        if is_url(path):
            return path  # as a store of the web has them
        scheme, _, rest = self.given.partition("://")
        _, chained, outer = rest.partition("::")
        return f"{scheme}://{path if scheme == 'file' else path.lstrip('/')}{chained}{outer}"

    def is_file(self, suffix: str = "") -> bool:
        """Whether there is a file at the place, its name ending in the suffix too.

        Raises:
            ModelError: the store does not tell.
        """
        with foreign_code(f"{self.given}: cannot be read", ModelError):
            try:
                return bool(self.system.info(f"{self.path}{suffix}")["type"] == "file")
            except FileNotFoundError:
                return False

    def entries(self, folder: str) -> list[tuple[str, bool]]:
        """What is in a folder, each with whether it is a folder; nothing where there is none."""
        try:
            listed = self.system.ls(folder, detail=True)
        except FileNotFoundError:
            return []
        below = f"{folder.rstrip('/')}/"
        named = ((entry["name"].rstrip("/"), entry["type"] == "directory") for entry in listed)
        return [(name, is_folder) for name, is_folder in named if name.startswith(below)]


def store_of(url: str) -> Store:
    """The store of a URL, opened.

    Raises:
        UsageError: it cannot be opened.
        MissingDependencyError: fsspec, or what it needs for that store, is not installed.
    """
    try:
        import fsspec
    except ImportError as error:
        raise MissingDependencyError(
            "URLs need fsspec, which is not installed: pip install fsspec"
        ) from error
    with foreign_code(f"{url}: cannot be opened", UsageError):
        try:
            system, path = fsspec.core.url_to_fs(url)
        except ImportError as error:
            reason = " ".join(str(error).split())
            raise MissingDependencyError(f"{url}: {reason}") from error
    return Store(system, path, url)


@contextmanager
def local_copy(source: str) -> Iterator[Path]:
    """The model as a file: itself, or a copy of what the store has, gone afterwards.

    The file beside it that external data go into by habit, `NAME.data`, comes along.

    Raises:
        ModelError: the store does not give it.
        BnfoldError: as `store_of`.
    """
    if not is_url(source):
        yield Path(source)
        return
    store = store_of(source)
    with TemporaryDirectory(prefix="bnfold-") as folder:
        path = Path(folder) / PurePosixPath(store.path).name
        with foreign_code(f"{source}: cannot be read", ModelError):
            store.system.get(store.path, str(path))
            if store.is_file(".data"):
                store.system.get(f"{store.path}.data", f"{path}.data")
        yield path
