"""From a SPEC to a torch module: import the code, call the factory, put the weights in."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from bnfold.errors import ModelError, UsageError
from bnfold.export.foreign import foreign_code, quiet, require
from bnfold.export.weights import load_weights

if TYPE_CHECKING:
    import torch

FORMS = "package.module:factory, path/file.py:factory, or a .pt2 program"


@dataclass(frozen=True)
class LoadedModule:
    """A torch module that is ready to run, and what came with it.

    Attributes:
        module: the network.
        name: the SPEC that it came from, or its class.
        examples: what `example_inputs` beside its factory gave, or the inputs stored in a program.
        program: the exported program, when the SPEC named a .pt2 file.
        owned: the module is nobody else's, so its weights and its mode may be changed.
    """

    module: torch.nn.Module
    name: str
    examples: Any = field(default=None, repr=False)
    program: torch.export.ExportedProgram | None = field(default=None, repr=False)
    owned: bool = True


def load_module(
    source: torch.nn.Module | str | os.PathLike[str],
    weights: str | os.PathLike[str] | None = None,
) -> LoadedModule:
    """The module that a SPEC names, with the weights of a file put in if one is given.

    Args:
        source: a torch module, or a SPEC: `package.module:factory` (the current directory counts),
            `path/file.py:factory`, or the path of a `.pt2` program. A factory is called without
            arguments; a module object or class in its place will do. An `example_inputs` beside
            the factory (inputs, or a function that gives them) makes inputs unnecessary later.
        weights: a `.safetensors` or `.pt` file. A module that was passed in is copied, not changed.

    Raises:
        UsageError: the SPEC is none of these forms.
        ModelError: the code or the weights cannot be loaded; the sentence says which and why.
        MissingDependencyError: torch is not installed.
    """
    require("torch")
    import torch

    loaded = (
        LoadedModule(source, type(source).__name__, owned=False)
        if isinstance(source, torch.nn.Module)
        else _from_spec(os.fspath(source))
    )
    if weights is None:
        return loaded
    if loaded.program is not None:
        raise UsageError(
            f"{loaded.name}: a .pt2 program has its weights in it; leave out --weights"
        )
    return load_weights_into(loaded, Path(weights))


def load_weights_into(loaded: LoadedModule, weights: Path) -> LoadedModule:
    """The same network with the weights of the file; a module that is not ours is copied first."""
    import copy
    from dataclasses import replace

    module = loaded.module
    if not loaded.owned:
        with foreign_code(f"{loaded.name}: the module cannot be copied", ModelError):
            module = copy.deepcopy(module)
    load_weights(module, weights)
    return replace(loaded, module=module, owned=True)


def _from_spec(spec: str) -> LoadedModule:
    if spec.endswith(".pt2"):
        return _from_program(Path(spec))
    if spec.endswith((".pt", ".pth", ".safetensors", ".bin", ".ckpt")):
        raise UsageError(
            f"{spec}: weights alone are not a network; name the code that builds it, with "
            f"--weights {spec}"
        )
    place, colon, attribute = spec.rpartition(":")
    if not colon or not place or not attribute:
        raise UsageError(f"{spec!r} is no network; give {FORMS}")
    folder = Path(place).resolve().parent if place.endswith(".py") else Path.cwd()
    with _importable_from(folder):
        code = _import_file(Path(place)) if place.endswith(".py") else _import_module(place)
        module = _call_factory(code, place, attribute)
    return LoadedModule(module, spec, getattr(code, "example_inputs", None))


def _from_program(path: Path) -> LoadedModule:
    import torch

    if not path.is_file():
        raise ModelError(f"{path}: no such file")
    with foreign_code(f"{path}: not a program that this torch can load", ModelError), quiet():
        program = torch.export.load(path)
        module = program.module()
    if _is_training(program):
        raise ModelError(
            f"{path}: the program was captured in training mode; capture module.eval() instead"
        )
    return LoadedModule(module, str(path), program.example_inputs, program)


def _is_training(program: torch.export.ExportedProgram) -> bool:
    """Whether a batch norm in it would update its running statistics, or a Dropout drop."""
    for node in program.graph.nodes:
        if str(node.target) == "aten.batch_norm.default":
            running_mean, training = node.args[3], node.args[5]
            if training and running_mean is not None:
                return True
        if str(node.target) == "aten.dropout.default" and node.args[2]:
            return True
    return False


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
        raise ModelError(f"{path}: no such file")
    name = path.stem
    spec = importlib.util.spec_from_file_location(name, path.resolve())
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
            raise ModelError(f"{place} has no attribute {attribute!r}")
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
