"""What writing leaves beside a model: how those files are called, and which may go.

Only files whose names bnfold gave are ever removed, and no data that a model in the folder names.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import re
import secrets
import shutil
from collections.abc import Collection
from pathlib import Path

from bnfold.model_io.locking import hold, is_held, locked

_NEW = re.compile(r"\..+\.[0-9a-f]{12}\.bnfold", re.DOTALL)
_OLD = re.compile(r"\..+\.[0-9a-f]{12}\.bnfold-old", re.DOTALL)
_DATA = re.compile(r".+\.[0-9a-f]{16}\.data", re.DOTALL)
_DIGITS = 16  # of the hash: enough that two contents never meet beside one model


def new_name(model_name: str) -> str:
    """A name for a file that is being written, or for a folder with such files."""
    return f".{model_name}.{secrets.token_hex(6)}.bnfold"


def old_name(model_name: str) -> str:
    """A name for what is replaced, until it is known that it can go."""
    return f".{model_name}.{secrets.token_hex(6)}.bnfold-old"


def is_data(path: Path) -> bool:
    """Whether the file is called by its content, as data that bnfold wrote is."""
    return _DATA.fullmatch(path.name) is not None


def data_name(name: str, digest: str) -> str:
    """What external data with that hash is called, where it is called so otherwise."""
    return f"{name}.{digest[:_DIGITS]}.data"


def new_folder(target: Path, cleanup: contextlib.ExitStack) -> Path:
    """A folder beside the target for what is being written; it is in use until the cleanup."""
    folder = target.with_name(new_name(target.name))
    with locked(target.parent):  # who tidies up sees the folder in use, or not at all
        cleanup.callback(shutil.rmtree, folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        with contextlib.suppress(OSError):  # Windows opens no folders
            handle = os.open(folder, os.O_RDONLY)
            cleanup.callback(os.close, handle)
            hold(handle)
    return folder


def data_of(model: Path) -> frozenset[Path]:
    """Data that is beside the model for it alone, as far as names tell, and that it reads.

    By content, as bnfold calls it, or by the model's name, as torch's exporter does.
    """
    plain = model.with_name(f"{model.name}.data")
    beside = [plain, *(path for path in model.parent.iterdir() if is_data(path))]
    return frozenset(path for path in beside if _names(model, path))


def remove(folder: Path, model_name: str, old: frozenset[Path], keep: Collection[Path]) -> None:
    """Removes new files of writers that died, and data that no model reads any more.

    Args:
        folder: locked by the caller.
        model_name: the model that was written; only its data is looked at.
        old: data that its predecessor read.
        keep: files that stay: the data that it reads itself.
    """
    ours = re.compile(rf"{re.escape(model_name)}\.[0-9a-f]{{{_DIGITS}}}\.data")
    there = [path for path in folder.iterdir() if not path.is_symlink()]
    by_content = [path for path in there if is_data(path)]
    orphaned: set[Path] = set()
    for path in there:
        if _OLD.fullmatch(path.name) or (_NEW.fullmatch(path.name) and not is_held(path)):
            # A graph that did not come into its place names the data that did before it.
            # os.walk, which skips a folder that its writer removes in this moment
            graphs = [Path(base, name) for base, _, names in os.walk(path) for name in names]
            orphaned |= {data for data in by_content if any(_names(g, data) for g in graphs)}
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else unlink(path)
    data = [path for path in there if ours.fullmatch(path.name) or path in old | orphaned]
    models = [
        path
        for path in there
        if path.is_file() and path.suffix in {".onnx", Path(model_name).suffix}
    ]
    for path in data:
        if path not in keep and not any(_names(model, path) for model in models):
            unlink(path)


def _names(model: Path, data: Path) -> bool:
    """Whether the model's bytes hold the name of the data file; also where they cannot be read."""
    try:
        if model.stat().st_size == 0:
            return False
        with model.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as held:
            return held.find(data.name.encode(errors="surrogateescape")) >= 0
    except FileNotFoundError:
        return False
    except (OSError, ValueError):
        return True


def unlink(path: Path) -> None:
    """The file is gone, if it can go."""
    with contextlib.suppress(OSError):  # in use, on Windows: the next run will
        path.unlink()
