"""The handwritten digits: 1797 real images of 8 x 8 pixels, split once and for all.

`python -m models.data OUT.npz --model NAME` writes the held-out inputs of a network for
`bnfold verify --data`.

Source: E. Alpaydin, C. Kaynak, Optical Recognition of Handwritten Digits, UCI, 1998; shipped by
scikit-learn as `sklearn.datasets.load_digits`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from models.recipe import RECIPES, Task

HELD_OUT = 500
NOISE = 0.3  # standard deviation, in units of the brightest pixel
SPLIT_SEED = 20
NOISE_SEED = 21


@dataclass(frozen=True)
class Examples:
    """Inputs `[N, 1, 8, 8]` in float32, with what the network should answer for each.

    `targets` holds labels `[N]` (int64) for a classifier and clean images `[N, 1, 8, 8]` for a
    denoiser.
    """

    inputs: NDArray[np.float32]
    targets: NDArray[np.int64] | NDArray[np.float32]


@cache
def _digits() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = (digits.images / 16).astype(np.float32)[:, None]
    # RandomState's streams are frozen by numpy's policy; those of default_rng may change.
    order = np.random.RandomState(SPLIT_SEED).permutation(len(images))
    return images[order], digits.target.astype(np.int64)[order]


def add_noise(images: NDArray[np.float32], rng: np.random.RandomState) -> NDArray[np.float32]:
    """The images with Gaussian noise of standard deviation `NOISE`, not clipped."""
    return (images + NOISE * rng.standard_normal(images.shape)).astype(np.float32)


def training(task: Task) -> Examples:
    """The 1297 examples to train on; a denoiser adds fresh noise to its images in each epoch."""
    images, labels = _digits()
    images, labels = images[HELD_OUT:], labels[HELD_OUT:]
    return Examples(images, labels if task == "classify" else images)


def held_out(task: Task) -> Examples:
    """The 500 examples that no network here was trained on; the noise is always the same."""
    images, labels = _digits()
    images, labels = images[:HELD_OUT], labels[:HELD_OUT]
    if task == "classify":
        return Examples(images, labels)
    return Examples(add_noise(images, np.random.RandomState(NOISE_SEED)), images)


@click.command()
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--model", "name", type=click.Choice(sorted(RECIPES)), required=True)
def main(out: Path, name: str) -> None:
    """Write the held-out inputs of a network to OUT.npz, under the name of its input."""
    recipe = RECIPES[name]
    examples = held_out(recipe.task)
    with out.open("wb") as file:  # a path without .npz would be renamed by numpy
        np.savez_compressed(file, **{recipe.input_name: examples.inputs})
    click.echo(f"{out}: {len(examples.inputs)} held-out inputs {recipe.input_name!r}")


if __name__ == "__main__":
    main()
