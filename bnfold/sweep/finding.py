"""Which models the paths, patterns and URLs of a sweep name, and what could not be looked into."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bnfold.errors import ModelError, UsageError
from bnfold.sweep.stores import Store, is_url, store_of
from bnfold.torch_code.foreign import foreign_code


@dataclass
class Found:
    """What was found so far.

    Attributes:
        models: paths and URLs, in order.
        closed: folders that could not be listed, each with why. There may be models in them.
    """

    models: list[str] = field(default_factory=list)
    closed: dict[str, str] = field(default_factory=dict)


def found(patterns: Iterable[str]) -> Found:
    """The models that the paths, URLs and patterns name, in order, each once, by its first name.

    Raises:
        UsageError: a pattern fits nothing, or a store cannot be opened.
        MissingDependencyError: a URL, and fsspec or what it needs for that store is not installed.
    """
    everything = Found()
    for pattern in patterns:
        fitting = _in_store(pattern) if is_url(pattern) else _in_folders(pattern)
        if not fitting.models:
            raise UsageError(next(iter(fitting.closed.values()), f"{pattern}: no model fits this"))
        everything.models += fitting.models
        everything.closed |= fitting.closed
    by_file: dict[str, str] = {}
    for model in everything.models:
        by_file.setdefault(model if is_url(model) else os.path.realpath(model), model)
    return Found(list(by_file.values()), everything.closed)


def in_folders(pattern: str) -> list[str]:
    """The models that a path, a folder or a pattern names, in order.

    Raises:
        UsageError: it is none that a system takes, or the folder that it is in is closed.
    """
    if not pattern:
        raise UsageError("a model or a pattern is empty")
    try:
        if Path(pattern).is_dir():
            walked = os.walk(pattern)
            paths = (Path(folder, name) for folder, _, names in walked for name in names)
            return sorted(str(path) for path in paths if path.suffix == ".onnx")
        if Path(pattern).exists():
            return [pattern]
        fitting = glob.glob(pattern, recursive=True)  # noqa: PTH207 (absolute patterns too)
        return sorted(path for path in fitting if Path(path).is_file())
    except OSError as error:
        raise UsageError(_closed(pattern, error)) from error
    except ValueError as error:
        raise UsageError(f"{pattern}: {error}") from error


def _in_folders(pattern: str) -> Found:
    looked = Found(in_folders(pattern))

    def add(error: OSError) -> None:
        folder = str(error.filename)
        looked.closed[folder] = _closed(folder, error)

    if Path(pattern).is_dir():
        for _ in os.walk(pattern, onerror=add):
            pass
    else:
        for folder in _looked_into(pattern):
            try:
                os.scandir(folder).close()
            except OSError as error:
                add(error)
    return looked


def _looked_into(pattern: str) -> Iterator[str]:
    """The folders whose entries a pattern is compared with; of those that are closed, Python's own
    glob says nothing.
    """
    while glob.has_magic(pattern):
        above, name = os.path.split(pattern)
        within = pattern if name == "**" else above
        folders = glob.glob(within, recursive=True) if within else ["."]  # noqa: PTH207
        yield from (folder for folder in folders if Path(folder).is_dir())
        pattern = above


def _closed(folder: str, error: OSError) -> str:
    return f"{folder}: cannot be listed: {(error.strerror or str(error)).lower()}"


def _in_store(pattern: str) -> Found:
    looked = Found()
    store = store_of(pattern)
    folder, path = store.path, store.path
    if glob.has_magic(path):
        parts = path.split("/")
        fixed = next(i for i, part in enumerate(parts) if glob.has_magic(part))
        folder = "/".join(parts[:fixed])
    elif store.is_file():
        return Found([store.url(path)])
    else:
        path = f"{path.rstrip('/')}/**/*.onnx"
    deepest = None if "**" in path else path.count("/") - folder.count("/")
    fits = re.compile(_regex(path, pattern))
    walked = _walked(store, folder, deepest, looked.closed)
    looked.models = sorted(store.url(name) for name in walked if fits.match(name))
    return looked


def _regex(path: str, pattern: str) -> str:
    from fsspec.utils import glob_translate

    try:
        return str(glob_translate(path))
    except ValueError as error:
        raise UsageError(f"{pattern}: {error}") from error


def _walked(
    store: Store, folder: str, deepest: int | None, closed: dict[str, str]
) -> Iterator[str]:
    """The files below a folder of a store; `deepest` counts the levels that are looked at."""
    url = store.url(folder)
    try:
        with foreign_code(f"{url}: cannot be listed", ModelError):
            entries = store.entries(folder)
    except ModelError as error:
        closed[url] = str(error)
        return
    for name, is_folder in entries:
        if not is_folder:
            yield name
        elif deepest != 1:
            yield from _walked(store, name, None if deepest is None else deepest - 1, closed)
