"""What it takes to train each network, and where its results are kept."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import nn

WEIGHTS = Path(__file__).parent / "weights"

Task = Literal["classify", "denoise"]


@dataclass(frozen=True)
class Recipe:
    """How the network in `models/<name>.py` is trained.

    A classifier minimises the cross entropy and is judged by its accuracy in percent; a denoiser
    minimises the mean squared error and is judged by its peak signal-to-noise ratio in dB.
    """

    name: str
    task: Task
    input_name: str
    epochs: int
    batch_size: int = 64
    learning_rate: float = 4e-3
    weight_decay: float = 1e-2
    seed: int = 0

    @property
    def metric(self) -> str:
        """The name of the test metric; greater is better for each."""
        return "accuracy_percent" if self.task == "classify" else "psnr_db"

    @property
    def weights_path(self) -> Path:
        """The trained weights, as safetensors."""
        return WEIGHTS / f"{self.name}.safetensors"

    @property
    def record_path(self) -> Path:
        """What training reached, and with which versions, as JSON."""
        return WEIGHTS / f"{self.name}.json"

    def build_untrained(self) -> nn.Module:
        """The network with the weights that its constructor draws."""
        factory: Callable[[], nn.Module] = importlib.import_module(
            f"models.{self.name}"
        ).build_untrained
        return factory()


RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        Recipe("digits_cnn", "classify", input_name="image", epochs=30),
        Recipe("digits_cnn_post", "classify", input_name="image", epochs=40),
        Recipe("digits_mlp", "classify", input_name="image", epochs=30),
        Recipe("digits_denoiser", "denoise", input_name="noisy", epochs=40),
    )
}
