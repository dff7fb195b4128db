"""What it takes to train each network, and where its results are kept."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from torch import nn

WEIGHTS = Path(__file__).parent / "weights"

Task = Literal["classify", "denoise"]
View = Literal["as they are", "points"]


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    A classifier minimises the cross entropy and is judged by its accuracy in percent; a denoiser
    minimises the mean squared error and is judged by its peak signal-to-noise ratio in dB.

    Attributes:
        name: of the network.
        task: what it learns.
        input_name: of `forward`'s parameter.
        epochs: at most.
        module: the file in `models/` that has it, without `.py`; empty means: called like it.
        builder: the function there that gives it trained.
        options: what `build_untrained` there takes for it.
        data: the source of its examples.
        also: other sources that it can be trained on, with `--data`.
        view: how it sees the examples.
        validation: how many examples are kept for validation.
        patience: after so many epochs without a smaller validation loss, training ends, and the
            best epoch is kept; None means: all epochs, and the last one is kept.
        schedule: of the learning rate: "one-cycle" rises and falls over all epochs, "plateau"
            halves it when the validation loss has not become smaller for a third of the patience.
    """

    name: str
    task: Task
    input_name: str
    epochs: int
    module: str = ""
    builder: str = "build"
    options: dict[str, Any] = field(default_factory=dict)
    data: str = "digits"
    also: tuple[str, ...] = ()
    view: View = "as they are"
    validation: int = 0
    patience: int | None = None
    schedule: Literal["one-cycle", "plateau"] = "one-cycle"
    batch_size: int = 64
    learning_rate: float = 4e-3
    weight_decay: float = 1e-2
    seed: int = 0

    @property
    def metric(self) -> str:
        """The name of the test metric; greater is better for each."""
        return "accuracy_percent" if self.task == "classify" else "psnr_db"

    @property
    def spec(self) -> str:
        """What `bnfold export` takes for the trained network."""
        return f"models.{self.module or self.name}:{self.builder}"

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
        module = importlib.import_module(f"models.{self.module or self.name}")
        factory: Callable[..., nn.Module] = module.build_untrained
        return factory(**self.options)


_STOPS_EARLY: dict[str, Any] = {
    "validation": 200,
    "patience": 12,
    "schedule": "plateau",
    "epochs": 80,
}
_ANY_SIZE: dict[str, Any] = {**_STOPS_EARLY, "also": ("mnist-5k", "mnist")}


def _cnn(name: str, builder: str, place: str, dropout: bool) -> Recipe:
    options = {"place": place, "dropout": dropout}
    return Recipe(
        name, "classify", "image", module="cnn", builder=builder, options=options, **_ANY_SIZE
    )


RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        Recipe("digits_cnn", "classify", input_name="image", epochs=30),
        Recipe("digits_cnn_post", "classify", input_name="image", epochs=40),
        Recipe("digits_mlp", "classify", input_name="image", epochs=30),
        Recipe("digits_denoiser", "denoise", input_name="noisy", epochs=40),
        _cnn("cnn_pre", "pre", "before", False),
        _cnn("cnn_post", "post", "after", False),
        _cnn("cnn_plain", "plain", "none", False),
        _cnn("cnn_pre_dropout", "pre_dropout", "before", True),
        _cnn("cnn_post_dropout", "post_dropout", "after", True),
        _cnn("cnn_plain_dropout", "plain_dropout", "none", True),
        Recipe("preresnet", "classify", "image", **_ANY_SIZE),
        Recipe("densenet", "classify", "image", **_ANY_SIZE),
        Recipe("mobilenet", "classify", "image", **_ANY_SIZE),
        Recipe("repvgg", "classify", "image", **_ANY_SIZE),
        Recipe("mobileone", "classify", "image", **_ANY_SIZE),
        Recipe("pointnet", "classify", "points", view="points", **_ANY_SIZE),
        Recipe(
            "unet", "denoise", "noisy", data="mnist-5k", also=("digits", "mnist"),
            epochs=10, validation=500, patience=4, schedule="plateau",
        ),
        Recipe(
            "temporal", "classify", "signal", data="vowels",
            epochs=120, validation=54, patience=20, schedule="plateau", batch_size=32,
        ),
    )
}  # fmt: skip
