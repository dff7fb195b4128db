"""Trains a network of this package from a seed: `python -m models.train NAME`.

One seed gives one set of weights, bit by bit, for one version of torch on one kind of processor;
between versions the order of additions may change, and with it the last digits.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import torch
from torch import nn

from models.data import add_noise, training
from models.evaluate import UNITS, metric_of, outputs_of_module
from models.recipe import RECIPES, Recipe


@contextmanager
def _reproducible(seed: int) -> Iterator[None]:
    """Seeds torch and keeps it to one thread; the caller's generator and threads are restored."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # the order of additions depends on the number of threads
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            yield
    finally:
        torch.set_num_threads(threads)


def train(
    recipe: Recipe, progress: Callable[[int, float], None] = lambda epoch, loss: None
) -> nn.Module:
    """The network as the recipe trains it, in eval mode.

    Args:
        recipe: what to train, how long, and from which seed.
        progress: called after each epoch with its number, from 1, and its mean loss.
    """
    with _reproducible(recipe.seed):
        module = recipe.build_untrained().train()
        examples = training(recipe.task)
        steps = len(examples.inputs) // recipe.batch_size
        optimizer = torch.optim.AdamW(
            module.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay
        )
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, recipe.learning_rate, total_steps=recipe.epochs * steps
        )
        loss_of = nn.CrossEntropyLoss() if recipe.task == "classify" else nn.MSELoss()
        rng = np.random.RandomState(recipe.seed)
        for epoch in range(1, recipe.epochs + 1):
            order = rng.permutation(len(examples.inputs))[: steps * recipe.batch_size]
            total = 0.0
            for rows in order.reshape(steps, recipe.batch_size):
                inputs = examples.inputs[rows]
                if recipe.task == "denoise":
                    inputs = add_noise(inputs, rng)
                loss = loss_of(
                    module(torch.from_numpy(inputs)), torch.from_numpy(examples.targets[rows])
                )
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
                total += loss.item()
            progress(epoch, total / steps)
        return module.eval()


def save(recipe: Recipe, module: nn.Module, weights_path: Path) -> float:
    """Weights and record are on disk side by side; returns the test metric."""
    from safetensors.torch import save_file

    metric = metric_of(recipe, outputs_of_module(recipe, module))
    save_file(module.state_dict(), weights_path)
    record = {
        "name": recipe.name,
        "metric": recipe.metric,
        "value": round(metric, 4),
        "parameters": sum(parameter.numel() for parameter in module.parameters()),
        "seed": recipe.seed,
        "epochs": recipe.epochs,
        "versions": {"torch": torch.__version__, "numpy": np.__version__},
    }
    weights_path.with_suffix(".json").write_text(json.dumps(record, indent=2) + "\n")
    return metric


@click.command()
@click.argument("name", type=click.Choice(sorted(RECIPES)))
@click.option("--epochs", type=click.IntRange(min=1), help="Default: as the recipe says.")
@click.option("--seed", type=int, help="Default: as the recipe says.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where the .safetensors go; default: models/weights/NAME.safetensors.",
)
def main(name: str, epochs: int | None, seed: int | None, out: Path | None) -> None:
    """Train network NAME, and write its weights and its test metric."""
    recipe = RECIPES[name]
    recipe = replace(
        recipe,
        epochs=recipe.epochs if epochs is None else epochs,
        seed=recipe.seed if seed is None else seed,
    )

    def show(epoch: int, loss: float) -> None:
        click.echo(f"epoch {epoch:3d} of {recipe.epochs}: loss {loss:.5f}")

    module = train(recipe, show)
    path = recipe.weights_path if out is None else out
    metric = save(recipe, module, path)
    click.echo(f"{path}: {metric:.2f} {UNITS[recipe.metric]} on the held-out digits")


if __name__ == "__main__":
    main()
