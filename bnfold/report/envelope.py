"""The JSON that every command can leave: one envelope, the same bytes for the same run."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import tempfile
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from bnfold import __version__
from bnfold.errors import UsageError
from bnfold.record import SCHEMA_VERSION, json_form

LIBRARIES = ("numpy", "onnx", "onnx-ir", "onnxruntime", "onnxruntime-gpu", "onnxscript", "torch")


def envelope(
    command: str,
    *,
    settings: Mapping[str, Any],
    inputs: Iterable[Mapping[str, Any]],
    outputs: Iterable[Mapping[str, Any]],
    result: Mapping[str, Any],
) -> dict[str, Any]:
    """A command's whole record.

    Keys: `schema_version`, `command`, `tool`, `libraries` (installed ones, with versions),
    `settings` (what was asked for), `inputs` and `outputs` (see `model_record`), and `result`,
    whose shape is the command's own. It has no time of day in it: the same run, the same bytes.
    """
    return {
        "schema_version": SCHEMA_VERSION,
        "command": command,
        "tool": {"name": "bnfold", "version": __version__},
        "libraries": library_versions(),
        "settings": dict(settings),
        "inputs": [dict(record) for record in inputs],
        "outputs": [dict(record) for record in outputs],
        "result": dict(result),
    }


def model_record(path: Path, *, at: Path | None = None) -> dict[str, Any]:
    """An ONNX file's `path`, `size_bytes` and `sha256`; the hash covers its external data too.

    `at` is where the file lies by now, if that is not yet its path.
    """
    from bnfold.model_io import sha256

    lies = at or path
    return {"path": str(path), "size_bytes": lies.stat().st_size, "sha256": sha256(lies)}


def file_record(path: Path) -> dict[str, Any]:
    """Any other file's `path`, `size_bytes` and `sha256`."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"path": str(path), "size_bytes": path.stat().st_size, "sha256": digest}


def library_versions() -> dict[str, str]:
    """The Python and the libraries that numbers depend on, those that are installed."""
    versions = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def to_json(record: Mapping[str, Any]) -> str:
    """The record as indented JSON."""
    return json.dumps(json_form(record), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def write_text(text: str, path: Path) -> None:
    """The file holds the text, whole; where that fails, it is as it was.

    What is no file, such as /dev/null or a named pipe, is written to as it stands.

    Raises:
        UsageError: the path is a folder.
    """
    if path.is_dir():
        raise UsageError(f"{path}: this is a folder; name a file")
    if path.exists() and not path.is_file():
        path.write_text(text, encoding="utf-8")
        return
    target = Path(os.path.realpath(path))  # a link stays a link
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).chmod(_mode_of_new_files())
        os.replace(name, target)  # noqa: PTH105 (says that the target may exist)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _mode_of_new_files() -> int:
    """What `open` would have given: mkstemp keeps its files private."""
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
