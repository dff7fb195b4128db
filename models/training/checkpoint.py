"""The file that a stopped run goes on from."""

from __future__ import annotations

import io
import json
import pickle
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from bnfold.errors import DataError
from models.recipe import Recipe
from models.training.state import State
from models.training.whole import write_whole

NAME = "checkpoint.pt"
ANEW = "give another --logdir, or --fresh to start anew"


def save(state: State, folder: Path) -> None:
    """The checkpoint is that of this state."""
    data = io.BytesIO()
    torch.save(state.to_dict(), data)
    write_whole(folder / NAME, data.getvalue())


def resume(state: State, folder: Path) -> bool:
    """The state is that of the checkpoint, if there is one; says whether there was.

    Raises:
        DataError: it is not a checkpoint, of another network, or of another recipe.
    """
    path = folder / NAME
    if not path.exists():
        return False
    saved = _load(path)
    _require_same(path, saved["recipe"], state.recipe)
    try:
        state.load_dict(saved)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise DataError(
            f"{path}: does not fit the network as it is now ({_first_line(error)}): {ANEW}"
        ) from error
    return True


def epochs_in(folder: Path) -> int:
    """How many epochs the checkpoint there has behind it; 0 without one.

    Raises:
        DataError: it is not a checkpoint.
    """
    path = folder / NAME
    return len(_load(path)["history"]) if path.exists() else 0


def _load(path: Path) -> dict[str, Any]:
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        raise DataError(f"{path}: cannot be read as a checkpoint: {ANEW}") from error
    is_ours = isinstance(saved, dict) and isinstance(saved.get("recipe"), dict)
    if not is_ours or not isinstance(saved.get("history"), list):
        raise DataError(f"{path}: is not a checkpoint of this program: {ANEW}")
    return saved


def _require_same(path: Path, saved: dict[str, Any], recipe: Recipe) -> None:
    """A run that went on under another recipe would be neither of the two."""
    if saved.get("name") != recipe.name:
        raise DataError(
            f"{path}: is a checkpoint of {saved.get('name')}, not of {recipe.name}: {ANEW}"
        )
    wanted = json.loads(json.dumps(asdict(recipe)))  # tuples as the lists that were saved
    other = json.loads(json.dumps(saved))
    for key in wanted.keys() | other.keys():
        if wanted.get(key) != other.get(key):
            raise DataError(
                f"{path}: was made with {key} {other.get(key)}, not {wanted.get(key)}: {ANEW}"
            )


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
