"""Where the models of a sweep are: in folders, or in a store that fsspec knows by its URL."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

from bnfold.errors import MissingDependencyError, ModelError, UsageError


def is_url(source: str) -> bool:
    """Whether it names a store: `s3://bucket/net.onnx`."""
    return "://" in source


def found(patterns: Iterable[str]) -> list[str]:
    """The models that the paths, URLs and patterns name, in order, each once.

    Raises:
        UsageError: a pattern fits nothing, or a store cannot be listed.
        MissingDependencyError: a URL, and fsspec or what it needs for that store is not installed.
    """
    models: list[str] = []
    for pattern in patterns:
        fitting = _in_store(pattern) if is_url(pattern) else in_folders(pattern)
        if not fitting:
            raise UsageError(f"{pattern}: no model fits this")
        models += fitting
    return list(dict.fromkeys(models))


def in_folders(pattern: str) -> list[str]:
    """The models that a path, a folder or a pattern names, in order."""
    if Path(pattern).is_dir():
        return sorted(str(path) for path in Path(pattern).rglob("*.onnx"))
    if Path(pattern).exists():
        return [pattern]
    return sorted(path for path in glob.glob(pattern, recursive=True) if Path(path).is_file())  # noqa: PTH207 (absolute patterns too)


def _in_store(pattern: str) -> list[str]:
    fsspec = _fsspec()
    scheme = pattern.partition("://")[0]
    try:
        store, path = fsspec.core.url_to_fs(pattern)
        return [f"{scheme}://{name.lstrip('/')}" if scheme != "file" else f"file://{name}"
                for name in sorted(store.glob(path))]  # fmt: skip
    except (OSError, ValueError, ImportError) as error:
        raise UsageError(f"{pattern}: cannot be listed: {error}") from error


@contextmanager
def local_copy(source: str) -> Iterator[Path]:
    """The model as a file: itself, or a copy of what the store has, gone afterwards.

    The file beside it that external data go into by habit, `NAME.data`, comes along.

    Raises:
        ModelError: the store does not give it.
    """
    if not is_url(source):
        yield Path(source)
        return
    fsspec = _fsspec()
    with TemporaryDirectory(prefix="bnfold-") as folder:
        path = Path(folder) / PurePosixPath(source).name
        try:
            store, remote = fsspec.core.url_to_fs(source)
            store.get(remote, str(path))
            if store.exists(f"{remote}.data"):
                store.get(f"{remote}.data", f"{path}.data")
        except (OSError, ValueError, ImportError) as error:
            raise ModelError(f"{source}: cannot be read: {error}") from error
        yield path


def _fsspec() -> Any:
    try:
        import fsspec
    except ImportError as error:
        raise MissingDependencyError(
            "URLs need fsspec, which is not installed: pip install fsspec"
        ) from error
    return fsspec
