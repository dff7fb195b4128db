"""From a SPEC to a torch module: import the code, call the factory, put the weights in."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bnfold.errors import ModelError, UsageError
from bnfold.torch_code.copying import copy_of
from bnfold.torch_code.factory import built
from bnfold.torch_code.foreign import foreign_code, quiet, require
from bnfold.torch_code.weights import load_weights
from bnfold.torch_files import SUFFIXES, torch_file

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
        notes: what the reader should know of how it was loaded.
    """

    module: torch.nn.Module
    name: str
    examples: Any = field(default=None, repr=False)
    program: torch.export.ExportedProgram | None = field(default=None, repr=False)
    owned: bool = True
    notes: tuple[str, ...] = ()


def load_module(
    source: torch.nn.Module | str | os.PathLike[str],
    weights: str | os.PathLike[str] | None = None,
    *,
    trust: bool = False,
    weights_key: str | None = None,
) -> LoadedModule:
    """The module that a SPEC names, with the weights of a file put in if one is given.

    Args:
        source: a torch module, or a SPEC: `package.module:factory` (the current directory counts),
            `path/file.py:factory`, or the path of a `.pt2` program. A factory is called without
            arguments; a module object or class in its place will do. An `example_inputs` beside
            the factory (inputs, or a function that gives them) makes inputs unnecessary later.
        weights: a `.safetensors` or `.pt` file. A module that was passed in is copied, not changed.
        trust: a `.pt2` program may run code of its author, which reading one does.
        weights_key: which of several sets of weights in the file, such as "model_ema".

    Raises:
        UsageError: the SPEC is none of these forms, or a program that nobody trusts.
        ModelError: the code or the weights cannot be loaded; the sentence says which and why.
        MissingDependencyError: torch is not installed.
    """
    require("torch")
    import torch

    if not isinstance(source, torch.nn.Module | str | os.PathLike):
        kind = type(source).__name__
        raise UsageError(f"a network is a torch module, or {FORMS}; not {kind}")
    loaded = (
        LoadedModule(_bare(source), type(source).__name__, owned=False)
        if isinstance(source, torch.nn.Module)
        else _from_spec(os.fspath(source), trust=trust)
    )
    if weights is None:
        if weights_key is not None:
            raise UsageError(f"the key {weights_key!r} is for a file of weights; name the file too")
        return loaded
    if loaded.program is not None:
        raise UsageError(
            f"{loaded.name}: a .pt2 program has its weights in it; leave out --weights"
        )
    return load_weights_into(loaded, Path(weights), weights_key)


def load_weights_into(loaded: LoadedModule, weights: Path, key: str | None = None) -> LoadedModule:
    """The same network with the weights of the file; a module that is not ours is copied first."""
    from dataclasses import replace

    module = loaded.module
    if not loaded.owned:
        with foreign_code(f"{loaded.name}: the module cannot be copied", ModelError):
            module = copy_of(module)
    taken = load_weights(module, weights, key)
    notes = () if taken is None else (f"the weights are those under {taken!r} in {weights}",)
    return replace(loaded, module=module, owned=True, notes=notes)


def _bare(module: torch.nn.Module) -> torch.nn.Module:
    """The network inside what torch.compile and data parallel training wrap around it."""
    import torch

    if isinstance(module, torch.jit.ScriptModule):
        raise ModelError("a TorchScript module cannot be exported; use the module it was made from")
    inner = getattr(module, "_orig_mod", None)  # of torch.compile
    if isinstance(module, torch.nn.DataParallel | torch.nn.parallel.DistributedDataParallel):
        inner = module.module
    return _bare(inner) if isinstance(inner, torch.nn.Module) else module


def _from_spec(spec: str, *, trust: bool) -> LoadedModule:
    if spec.endswith(".pt2"):
        return _from_program(Path(spec), trust=trust)
    found = torch_file(Path(spec))
    if found is not None:
        raise UsageError(found.as_network)
    if spec.endswith(SUFFIXES) and not Path(spec).exists():
        raise ModelError(f"{spec}: no such file")
    place, colon, attribute = spec.rpartition(":")
    if not colon or not place or not attribute:
        raise UsageError(f"{spec!r} is no network; give {FORMS}")
    module, examples = built(place, attribute)
    return LoadedModule(_bare(module), spec, examples)


def _from_program(path: Path, *, trust: bool) -> LoadedModule:
    """The program of a file: torch unpickles its sample inputs and evaluates its expressions."""
    import torch

    if not path.is_file():
        raise ModelError(f"{path}: {'is no regular file' if path.exists() else 'no such file'}")
    if not trust:
        raise UsageError(
            f"{path}: reading a .pt2 program may run code of its author, whatever it says it is; "
            "if you trust where it is from, say --trust (trust=True in Python)"
        )
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
