"""Weights from a file into a module: read safely, names made to fit, misfits named."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bnfold.errors import ModelError
from bnfold.torch_code.foreign import quiet, reason, require

if TYPE_CHECKING:
    import torch

WRAPPERS = ("state_dict", "model_state_dict", "model", "module", "net", "weights")
SHOWN = 5


def load_weights(module: torch.nn.Module, path: Path) -> None:
    """The module has the weights of the file, each of them.

    Raises:
        ModelError: the file cannot be read, or a name or a shape does not fit the module.
    """
    import torch

    own = module.state_dict()
    given = _fitted_names(read_weights(path), own)
    missing = [name for name in own if name not in given and not _is_counter(name)]
    unexpected = [name for name in given if name not in own and not _is_counter(name)]
    if missing or unexpected:
        parts = (("missing", missing), ("not expected", unexpected))
        said = "; ".join(f"{what}: {_listed(names)}" for what, names in parts if names)
        raise ModelError(f"{path}: these weights are for another network; {said}")
    misfits = [
        f"{name} is {list(value.shape)} in the file and {list(own[name].shape)} in the network"
        for name, value in given.items()
        if isinstance(value, torch.Tensor) and value.shape != own[name].shape
    ]
    if misfits:
        raise ModelError(f"{path}: these weights do not fit; {_listed(misfits)}")
    module.load_state_dict(given, strict=False)


def _is_counter(name: str) -> bool:
    return name.endswith("num_batches_tracked")  # of use in training only


def read_weights(path: Path) -> dict[str, Any]:
    """The tensors of a `.safetensors` or `.pt` file by name, unwrapped from a checkpoint.

    A `.pt` file is read with `weights_only=True`: nothing in it is executed.

    Raises:
        ModelError: the file is not there, or holds no tensors.
    """
    if not path.is_file():
        raise ModelError(f"{path}: no such file")
    if path.suffix == ".safetensors":
        return _read_safetensors(path)
    import torch

    try:
        with quiet():
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ModelError(
            f"{path}: holds more than tensors, or is no torch file; nothing in it was executed. "
            "Save the network's state_dict()"
        ) from error
    except (EOFError, OSError, RuntimeError, ValueError, KeyError, IndexError) as error:
        raise ModelError(f"{path}: cannot be read as torch weights ({reason(error)})") from error
    return _unwrapped(content, path)


def _read_safetensors(path: Path) -> dict[str, Any]:
    safetensors = require("safetensors")
    from safetensors.torch import load_file

    try:
        tensors: dict[str, Any] = load_file(path)
    except (safetensors.SafetensorError, OSError, ValueError) as error:
        raise ModelError(f"{path}: cannot be read as safetensors ({reason(error)})") from error
    return tensors


def _unwrapped(content: object, path: Path) -> dict[str, Any]:
    import torch

    while isinstance(content, Mapping):
        inner = [content[key] for key in WRAPPERS if isinstance(content.get(key), Mapping)]
        if not inner:
            if any(isinstance(value, torch.Tensor) for value in content.values()):
                return {str(name): value for name, value in content.items()}
            break
        content = inner[0]
    raise ModelError(f"{path}: no dictionary of tensors in it, nor under {', '.join(WRAPPERS)}")


def _fitted_names(given: Mapping[str, Any], own: Iterable[str]) -> dict[str, Any]:
    """The weights without the prefixes that DistributedDataParallel and torch.compile add."""
    known = set(own)
    renamed = {
        (name if name in known else name.replace("_orig_mod.", "")): value
        for name, value in given.items()
    }
    while renamed and all(name.startswith("module.") for name in renamed):
        if any(name.startswith("module.") for name in known):
            break
        renamed = {name.removeprefix("module."): value for name, value in renamed.items()}
    return renamed


def _listed(names: list[str]) -> str:
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")
