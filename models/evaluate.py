"""The test metric of a network, as torch module or as ONNX file, on the held-out digits.

`python -m models.evaluate NAME MODEL.onnx [MODEL.onnx ...]` prints one line for each file; with two
or more it also says on how many of the images they decide alike.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np
from numpy.typing import NDArray

from models.data import held_out
from models.recipe import RECIPES, Recipe

if TYPE_CHECKING:
    from torch import nn

UNITS = {"accuracy_percent": "% right", "psnr_db": "dB"}


def metric_of(recipe: Recipe, outputs: NDArray[np.float32]) -> float:
    """The metric of these answers to the held-out inputs: accuracy in percent, or PSNR in dB."""
    targets = held_out(recipe.task).targets
    if recipe.task == "classify":
        return float(100 * np.mean(outputs.argmax(axis=1) == targets))
    mean_squared_error = np.mean((outputs.astype(np.float64) - targets) ** 2)
    return float(-10 * np.log10(mean_squared_error))  # the brightest pixel is 1


def outputs_of_module(recipe: Recipe, module: nn.Module) -> NDArray[np.float32]:
    """What the module answers to the held-out inputs in eval mode; its mode is restored."""
    import torch

    training = module.training
    module.eval()
    try:
        with torch.no_grad():
            outputs = module(torch.from_numpy(held_out(recipe.task).inputs))
    finally:
        module.train(training)
    answer: NDArray[np.float32] = outputs.numpy()
    return answer


def outputs_of_onnx(recipe: Recipe, path: Path) -> NDArray[np.float32]:
    """What the ONNX file answers to the held-out inputs in onnxruntime on the CPU."""
    import onnx_ir as ir

    from bnfold.runtime.engine import Setting
    from bnfold.runtime.sessions import Session
    from bnfold.runtime.signature import inputs_of

    (fed,) = inputs_of(ir.load(path))
    session = Session(str(path), Setting(), name=path.name)
    answer: NDArray[np.float32] = session.run({fed.name: held_out(recipe.task).inputs})[0]
    return answer


@click.command()
@click.argument("name", type=click.Choice(sorted(RECIPES)))
@click.argument(
    "paths", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
def main(name: str, paths: tuple[Path, ...]) -> None:
    """Print the test metric of each ONNX file, evaluated on the held-out data of network NAME."""
    recipe = RECIPES[name]
    answers = [outputs_of_onnx(recipe, path) for path in paths]
    for path, answer in zip(paths, answers, strict=True):
        click.echo(f"{metric_of(recipe, answer):.4f} {UNITS[recipe.metric]}  {path}")
    if recipe.task == "classify" and len(paths) > 1:
        decisions = np.stack([answer.argmax(axis=1) for answer in answers])
        alike = int((decisions == decisions[0]).all(axis=0).sum())
        click.echo(f"same top-1 on {alike} of {decisions.shape[1]} images")


if __name__ == "__main__":
    main()
