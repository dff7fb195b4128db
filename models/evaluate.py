"""The test metric of a network, as torch module or as ONNX file, on its held-out examples.

`python -m models.evaluate NAME MODEL.onnx [MODEL.onnx ...]` prints one line for each file; with two
or more it also says on how many of the images they decide alike.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np
from numpy.typing import NDArray

from models.command import NETWORK, Command
from models.data import held_out
from models.recipe import Recipe

if TYPE_CHECKING:
    from torch import nn

UNITS = {"accuracy_percent": "% right", "psnr_db": "dB"}
BATCH = 256  # bounds the memory that activations take


def metric(
    recipe: Recipe,
    outputs: NDArray[np.float32],
    targets: NDArray[np.int64] | NDArray[np.float32],
) -> float:
    """The recipe's metric of these answers: accuracy in percent, or PSNR in dB."""
    if recipe.task == "classify":
        return float(100 * np.mean(outputs.argmax(axis=1) == targets))
    mean_squared_error = np.mean((outputs.astype(np.float64) - targets) ** 2)
    return float(-10 * np.log10(mean_squared_error))  # the brightest pixel is 1


def metric_of(recipe: Recipe, outputs: NDArray[np.float32]) -> float:
    """The metric of these answers to the held-out inputs."""
    return metric(recipe, outputs, held_out(recipe).targets)


def answers_of_module(module: nn.Module, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """What the module answers in eval mode; its mode is restored."""
    import torch

    training = module.training
    module.eval()
    try:
        with torch.no_grad():
            parts = [module(part) for part in torch.from_numpy(inputs).split(BATCH)]
    finally:
        module.train(training)
    answer: NDArray[np.float32] = torch.cat(parts).numpy()
    return answer


def outputs_of_module(recipe: Recipe, module: nn.Module) -> NDArray[np.float32]:
    """What the module answers to the held-out inputs in eval mode; its mode is restored."""
    return answers_of_module(module, held_out(recipe).inputs)


def outputs_of_onnx(recipe: Recipe, path: Path) -> NDArray[np.float32]:
    """What the ONNX file answers to the held-out inputs in onnxruntime on the CPU."""
    import onnx_ir as ir

    from bnfold.runtime.engine import Setting
    from bnfold.runtime.sessions import Session
    from bnfold.runtime.signature import inputs_of

    (fed,) = inputs_of(ir.load(path))
    session = Session(str(path), Setting(), name=path.name)
    inputs = held_out(recipe).inputs
    parts = [inputs[i : i + BATCH] for i in range(0, len(inputs), BATCH)]
    return np.concatenate([session.run({fed.name: part})[0] for part in parts])


@click.command(cls=Command)
@click.argument("recipe", type=NETWORK, metavar="NAME")
@click.argument(
    "paths", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
def main(recipe: Recipe, paths: tuple[Path, ...]) -> None:
    """Print the test metric of each ONNX file, evaluated on the held-out data of network NAME."""
    answers = [outputs_of_onnx(recipe, path) for path in paths]
    for path, answer in zip(paths, answers, strict=True):
        click.echo(f"{metric_of(recipe, answer):.4f} {UNITS[recipe.metric]}  {path}")
    if recipe.task == "classify" and len(paths) > 1:
        decisions = np.stack([answer.argmax(axis=1) for answer in answers])
        alike = int((decisions == decisions[0]).all(axis=0).sum())
        click.echo(f"same top-1 on {alike} of {decisions.shape[1]} images")


if __name__ == "__main__":
    main()
