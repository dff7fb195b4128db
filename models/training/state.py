"""Everything that the next step of training depends on."""

from __future__ import annotations

import copy
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from models.recipe import Recipe
from models.training.progress import Epoch

Weights = dict[str, torch.Tensor]


@dataclass
class State:
    """A run between two epochs; torch's own generator belongs to it too.

    `best` holds the weights of the best epoch, as `progress.best_of` tells it.
    """

    recipe: Recipe
    module: nn.Module
    optimizer: torch.optim.Optimizer
    schedule: Any
    rng: np.random.RandomState
    history: list[Epoch]
    best: Weights

    def to_dict(self) -> dict[str, Any]:
        """All of it as tensors, numbers, texts, lists and dicts: no code runs when it is loaded."""
        kind, keys, position, has_gauss, gauss = self.rng.get_state(legacy=True)
        return {
            "recipe": asdict(self.recipe),
            "module": self.module.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "torch_rng": torch.get_rng_state(),
            "numpy_rng": [str(kind), [int(key) for key in keys], position, has_gauss, gauss],
            "history": [asdict(epoch) for epoch in self.history],
            "best": self.best,
        }

    def load_dict(self, saved: dict[str, Any]) -> None:
        """The run is where it was when that was made."""
        self.module.load_state_dict(saved["module"])
        self.optimizer.load_state_dict(saved["optimizer"])
        self.schedule.load_state_dict(saved["schedule"])
        torch.set_rng_state(saved["torch_rng"])
        kind, keys, *rest = saved["numpy_rng"]
        self.rng.set_state((kind, np.array(keys, np.uint32), *rest))
        self.history = [Epoch(**epoch) for epoch in saved["history"]]
        self.best = saved["best"]


def start(recipe: Recipe, steps: int) -> State:
    """A run before its first step; torch's generator has been seeded.

    Args:
        recipe: what to train.
        steps: in one epoch.
    """
    module = recipe.build_untrained().train()
    optimizer = torch.optim.AdamW(
        module.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay
    )
    schedule = _schedule(recipe, optimizer, steps)
    return State(recipe, module, optimizer, schedule, np.random.RandomState(recipe.seed), [], {})


def weights_of(module: nn.Module) -> Weights:
    """A copy of the module's weights and statistics."""
    return copy.deepcopy(module.state_dict())


def _schedule(recipe: Recipe, optimizer: torch.optim.Optimizer, steps: int) -> Any:
    if recipe.schedule == "one-cycle":
        return torch.optim.lr_scheduler.OneCycleLR(
            optimizer, recipe.learning_rate, total_steps=recipe.epochs * steps
        )
    patience = (recipe.patience or recipe.epochs) // 3
    return torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=patience)
