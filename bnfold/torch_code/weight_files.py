"""Files of weights, read without executing anything in them."""

from __future__ import annotations

import argparse
import pickle
from pathlib import Path
from typing import Any

from bnfold.errors import ModelError
from bnfold.torch_code.foreign import quiet, reason, require
from bnfold.torch_files import torch_file


def read_weights(path: Path) -> Any:
    """What is in a `.safetensors` or `.pt` file: tensors by name, or a checkpoint with them.

    A `.pt` file is read with `weights_only=True`: nothing in it is executed.

    Raises:
        ModelError: there is no such file, it is no such file, or holds more than tensors.
    """
    if not path.is_file():
        raise ModelError(f"{path}: {'is no regular file' if path.exists() else 'no such file'}")
    if path.suffix == ".safetensors":
        return _read_safetensors(path)
    found = torch_file(path)
    if found is not None and found.kind in ("TorchScript", "program"):
        raise ModelError(found.as_weights)
    import torch

    try:
        # A trainer's arguments lie beside the weights; a Namespace is attributes and nothing else.
        with quiet(), torch.serialization.safe_globals([argparse.Namespace]):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        what = "is no file of weights, as torch.save or safetensors write them"
        if found is not None:  # torch's own words are advice to execute what is in it
            what = "holds more than tensors; save the network's state_dict() alone"
        raise ModelError((found and found.as_weights) or f"{path}: {what}") from error
    except (EOFError, OSError, RuntimeError, ValueError, KeyError, IndexError) as error:
        raise ModelError(f"{path}: cannot be read as torch weights ({reason(error)})") from error


def _read_safetensors(path: Path) -> dict[str, Any]:
    safetensors = require("safetensors")
    from safetensors.torch import load_file

    try:
        tensors: dict[str, Any] = load_file(path)
    except (safetensors.SafetensorError, OSError, ValueError) as error:
        raise ModelError(f"{path}: cannot be read as safetensors ({reason(error)})") from error
    return tensors
