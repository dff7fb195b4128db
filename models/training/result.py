"""What training leaves: the weights, and the record of how good they are."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

from models.evaluate import metric_of, outputs_of_module
from models.training.progress import best_of
from models.training.state import State
from models.training.whole import write_whole


def save(state: State, weights_path: Path) -> float:
    """Weights and record are on disk side by side; returns the test metric."""
    from safetensors.torch import save as as_bytes

    recipe, module = state.recipe, state.module
    value = metric_of(recipe, outputs_of_module(recipe, module))
    record = {
        "name": recipe.name,
        "data": recipe.data,
        "metric": recipe.metric,
        "value": round(value, 4),
        "parameters": sum(parameter.numel() for parameter in module.parameters()),
        "seed": recipe.seed,
        "epochs": len(state.history),
        "kept_epoch": best_of(state.history).number,
        "versions": {"torch": torch.__version__, "numpy": np.__version__},
    }
    write_whole(weights_path, as_bytes(module.state_dict()))
    text = json.dumps(record, indent=2) + "\n"
    write_whole(weights_path.with_suffix(".json"), text.encode())
    return value
