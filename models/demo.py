"""Two trained networks from export to evidence, with your own numbers: `make demo`.

Each goes through `bnfold run` with the held-out digits as data; then the test metrics of the two
ONNX files are compared to the last digit, and their decisions image by image.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import click
import numpy as np

from models.data import held_out
from models.evaluate import UNITS, metric_of, outputs_of_onnx
from models.recipe import RECIPES, Recipe

NAMES = ("digits_cnn", "digits_cnn_post")
BATCH = 32  # one 8 x 8 image takes microseconds: too short to time well


def say(text: str) -> None:
    """One paragraph of the tour, before what it speaks of."""
    click.secho(f"\n== {text}", bold=True)


def write_held_out(recipe: Recipe, folder: Path) -> Path:
    """The held-out inputs of a network, in a file that `--data` takes."""
    path = folder / f"{recipe.name}_held_out.npz"
    with path.open("wb") as file:
        np.savez_compressed(file, **{recipe.input_name: held_out(recipe).inputs})
    return path


def run(arguments: list[str]) -> int:
    """The exit code of `bnfold` with these arguments; the command is shown as one would type it."""
    click.echo(f"$ bnfold {shlex.join(arguments)}\n")
    return subprocess.run([sys.executable, "-m", "bnfold", *arguments], check=False).returncode


def same_answers(recipe: Recipe, folder: Path) -> bool:
    """Whether the two files in the folder have one test metric and decide alike on every image."""
    before, after = (
        outputs_of_onnx(recipe, folder / name) for name in ("original.onnx", "folded.onnx")
    )
    metrics = metric_of(recipe, before), metric_of(recipe, after)
    alike = int((before.argmax(axis=1) == after.argmax(axis=1)).sum())
    click.echo(f"  before  {metrics[0]:.4f} {UNITS[recipe.metric]}")
    click.echo(f"  after   {metrics[1]:.4f} {UNITS[recipe.metric]}")
    click.echo(f"  the same digit on {alike} of {len(before)} images")
    return metrics[0] == metrics[1] and alike == len(before)


@click.command()
@click.option("--output", type=click.Path(path_type=Path), default="demo-output", show_default=True)
@click.option("--pairs", default=20, show_default=True, help="Paired timings for each level.")
def main(output: Path, pairs: int) -> None:
    """Export, fold, verify and bench two networks; exit code 1 where a fold changed one."""
    output.mkdir(parents=True, exist_ok=True)
    bad = []
    for name in NAMES:
        recipe, folder = RECIPES[name], output / name
        record = json.loads(recipe.record_path.read_text())
        say(f"{name}: a network trained on handwritten digits ({record['epochs']} epochs)")
        data = write_held_out(recipe, output)
        spec = f"models.{name}:build"
        evidence = ["--data", str(data), "--batch", str(BATCH), "--pairs", str(pairs)]
        code = run(["run", spec, "-o", str(folder), *evidence])
        if code not in {0, 3}:  # 3: this machine is too busy to time anything on
            bad.append(name)
            continue
        say(f"{name}: on the {len(held_out(recipe).inputs)} digits that it never saw")
        if not same_answers(recipe, folder):
            bad.append(name)
    say("digits_cnn_post again: what stayed can go, at a price that --allow names")
    run(["inspect", str(output / "digits_cnn_post" / "original.onnx"), "--allow", "rectifier"])
    if bad:
        raise SystemExit(f"not as it should be: {', '.join(bad)}")
    say(f"All of it, with the models, is in {output}/")


if __name__ == "__main__":
    main()
