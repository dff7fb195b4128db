"""The examples of each network, split once and for all: held out, for validation, to train on.

`python -m models.data OUT.npz --model NAME` writes the held-out inputs of a network for
`bnfold verify --data`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from models.command import NETWORK, Command
from models.points import as_points
from models.recipe import Recipe
from models.sources import SOURCES, Table

NOISE = 0.3  # standard deviation, in units of the brightest pixel
NOISE_SEED = 21
VALIDATION_NOISE_SEED = 22


@dataclass(frozen=True)
class Examples:
    """Inputs `[N, ...]` in float32, with what the network should answer for each.

    `targets` holds labels `[N]` (int64) for a classifier and clean images `[N, 1, H, W]` for a
    denoiser.
    """

    inputs: NDArray[np.float32]
    targets: NDArray[np.int64] | NDArray[np.float32]


def add_noise(images: NDArray[np.float32], rng: np.random.RandomState) -> NDArray[np.float32]:
    """The images with Gaussian noise of standard deviation `NOISE`, not clipped."""
    return (images + NOISE * rng.standard_normal(images.shape)).astype(np.float32)


def training(recipe: Recipe) -> Examples:
    """The examples to train on; a denoiser adds fresh noise to its images in each epoch."""
    rest = SOURCES[recipe.data].read()[1][recipe.validation :]
    return _seen(recipe, rest, noise_seed=None)


def validation(recipe: Recipe) -> Examples:
    """The examples that tell when to stop; none where the recipe keeps none."""
    rest = SOURCES[recipe.data].read()[1][: recipe.validation]
    return _seen(recipe, rest, VALIDATION_NOISE_SEED)


def held_out(recipe: Recipe) -> Examples:
    """The examples that nothing was chosen by; the noise is always the same."""
    return _seen(recipe, SOURCES[recipe.data].read()[0], NOISE_SEED)


def _seen(recipe: Recipe, table: Table, noise_seed: int | None) -> Examples:
    """The table as the network sees it."""
    if recipe.task == "denoise":
        if noise_seed is None:
            return Examples(table.inputs, table.inputs)
        rng = np.random.RandomState(noise_seed)
        return Examples(add_noise(table.inputs, rng), table.inputs)
    inputs = as_points(table.inputs) if recipe.view == "points" else table.inputs
    return Examples(inputs, table.labels)


@click.command(cls=Command)
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--model", "recipe", type=NETWORK, required=True)
def main(out: Path, recipe: Recipe) -> None:
    """Write the held-out inputs of a network to OUT.npz, under the name of its input."""
    examples = held_out(recipe)
    with out.open("wb") as file:  # a path without .npz would be renamed by numpy
        np.savez_compressed(file, **{recipe.input_name: examples.inputs})
    click.echo(f"{out}: {len(examples.inputs)} held-out inputs {recipe.input_name!r}")


if __name__ == "__main__":
    main()
