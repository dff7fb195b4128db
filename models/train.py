"""Trains a network of this package from a seed: `python -m models.train NAME`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from bnfold.errors import UsageError, did_you_mean
from models.command import NETWORK, Command
from models.evaluate import UNITS
from models.recipe import Recipe
from models.training import checkpoint, diary, result, train
from models.training.bar import bar
from models.training.errors import DivergedError
from models.training.whole import folder_for_writing

RUNS = Path("runs")


@click.command(cls=Command)
@click.argument("recipe", type=NETWORK, metavar="NAME")
@click.option("--epochs", type=click.IntRange(min=1), help="At most; default: as the recipe says.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), help="Default: as the recipe says.")
@click.option("--learning-rate", type=float, help="Default: as the recipe says.")
@click.option("--data", help="Another source of examples, where the network can take it.")
@click.option(
    "--logdir",
    type=click.Path(file_okay=False, path_type=Path),
    help="For the checkpoint, metrics.csv and TensorBoard; default: runs/NAME.",
)
@click.option("--fresh", is_flag=True, help="Start anew, though a checkpoint is there.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where the .safetensors go; default: models/weights/NAME.safetensors for the recipe as it "
    "is, and in the log directory for another.",
)
def main(
    recipe: Recipe,
    epochs: int | None,
    seed: int | None,
    learning_rate: float | None,
    data: str | None,
    logdir: Path | None,
    fresh: bool,
    out: Path | None,
) -> None:
    """Train network NAME, and write its weights and its test metric.

    A run that was stopped goes on from its last whole epoch, to the weights that it would have had.
    """
    given = {"epochs": epochs, "seed": seed, "learning_rate": learning_rate, "data": data}
    changed = _changed(recipe, given)
    folder = folder_for_writing(logdir or RUNS / recipe.name)
    is_changed = changed != recipe
    path = out or (folder / f"{recipe.name}.safetensors" if is_changed else recipe.weights_path)
    if fresh:
        (folder / checkpoint.NAME).unlink(missing_ok=True)
    if not diary.has_tensorboard():
        click.echo("TensorBoard is not installed: metrics go to metrics.csv alone", err=True)
    value = _run(changed, folder, path)
    unit = UNITS[recipe.metric]
    click.echo(f"{path}: {value:.2f} {unit} on the held-out examples of {changed.data}")


def _run(recipe: Recipe, folder: Path, path: Path) -> float:
    try:
        with bar(recipe) as shown, diary.opened(folder, checkpoint.epochs_in(folder)) as written:

            def after_epoch(state: Any) -> None:
                written(state)
                shown.epoch(state)

            state = train(recipe, folder, after_epoch=after_epoch, after_step=shown.step)
    except DivergedError as error:
        kept = folder / checkpoint.NAME
        good = f"the last good checkpoint is {kept}" if kept.exists() else "no epoch was good"
        raise DivergedError(f"{error}; {good}; try a smaller --learning-rate") from error
    return result.save(state, path)


def _changed(recipe: Recipe, given: dict[str, Any]) -> Recipe:
    """The recipe with what was given on the command line.

    Raises:
        UsageError: the network cannot be trained on that data, or at that rate.
    """
    wanted = {key: value for key, value in given.items() if value is not None}
    if not wanted.get("learning_rate", 1.0) > 0:
        raise UsageError(f"--learning-rate {wanted['learning_rate']}: has to be above 0")
    sources = (recipe.data, *recipe.also)
    if wanted.get("data", recipe.data) not in sources:
        hint = did_you_mean(wanted["data"], sources) or f"; it takes {', '.join(sources)}"
        raise UsageError(f"{recipe.name} cannot be trained on {wanted['data']!r}{hint}")
    return replace(recipe, **wanted)


if __name__ == "__main__":
    main()
