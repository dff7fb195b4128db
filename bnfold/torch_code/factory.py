"""Runs the code that a SPEC names, and gives the module that its factory builds."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from bnfold.errors import ModelError, did_you_mean
from bnfold.torch_code.foreign import foreign_code

if TYPE_CHECKING:
    import torch


def built(place: str, attribute: str) -> tuple[torch.nn.Module, Any]:
    """The module that `attribute` of a module or a `.py` file gives, and its `example_inputs`.

    Raises:
        ModelError: the code cannot be imported, or gives no module.
    """
    is_file = place.endswith(".py")
    # What the code prints goes to stderr: stdout may be a record that a program reads.
    with (
        _importable_from(Path(os.path.realpath(place)).parent if is_file else Path.cwd()),
        redirect_stdout(sys.stderr),
    ):
        code = _import_file(Path(place)) if is_file else _import_module(place)
        module = _call_factory(code, place, attribute)
    return module, getattr(code, "example_inputs", None)


@contextmanager
def _importable_from(folder: Path) -> Iterator[None]:
    """The folder comes first on the import path, as it does for `python -m`."""
    entry = str(folder)
    sys.path.insert(0, entry)
    try:
        yield
    finally:
        if entry in sys.path:
            sys.path.remove(entry)


def _import_module(name: str) -> ModuleType:
    with foreign_code(f"{name} cannot be imported", ModelError):
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            if _is_part_of(error.name, name):
                raise ModelError(
                    f"{name}: no module of that name in this folder or among installed packages"
                ) from error
            raise ModelError(f"{name} needs {error.name}, which is not installed") from error


def _is_part_of(missing: str | None, name: str) -> bool:
    return missing is not None and (name == missing or name.startswith(f"{missing}."))


def _import_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise ModelError(f"{path}: {'is no regular file' if path.exists() else 'no such file'}")
    name = path.stem
    spec = importlib.util.spec_from_file_location(name, os.path.realpath(path))
    assert spec is not None  # the suffix is .py
    assert spec.loader is not None
    code = importlib.util.module_from_spec(spec)
    before = sys.modules.get(name)
    sys.modules[name] = code  # dataclasses and pickle look a class's module up here
    try:
        with foreign_code(f"{path} cannot be imported", ModelError):
            spec.loader.exec_module(code)
    finally:
        if before is not None:
            sys.modules[name] = before
    return code


def _call_factory(code: ModuleType, place: str, attribute: str) -> torch.nn.Module:
    import torch

    made: Any = code
    for part in attribute.split("."):
        if not hasattr(made, part):
            names = [name for name in dir(made) if not name.startswith("_")]
            raise ModelError(f"{place} has no attribute {attribute!r}{did_you_mean(part, names)}")
        made = getattr(made, part)
    if not isinstance(made, torch.nn.Module):
        if not callable(made):
            raise ModelError(
                f"{place}:{attribute} is {_a(made)}; it has to be a function that builds a network"
            )
        with foreign_code(f"{place}:{attribute} failed", ModelError):
            made = made()
    if not isinstance(made, torch.nn.Module):
        raise ModelError(f"{place}:{attribute} gives {_a(made)}, not a torch.nn.Module")
    return made


def _a(value: object) -> str:
    return "None" if value is None else f"a value of type {type(value).__name__}"
