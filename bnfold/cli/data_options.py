"""Options on what a model is run on and with, which several commands share."""

from __future__ import annotations

from pathlib import Path

import click

from bnfold.cli.input_types import SourceData, SourceFile
from bnfold.cli.output_folders import TargetDataFolder

data_option = click.option(
    "--data",
    metavar="F",
    type=SourceData(),
    help="Inputs to run on, in place of made-up ones: .npz, .npy, or a folder of ONNX "
    "test_data_set_*.",
)
samples_option = click.option(
    "--samples",
    metavar="N",
    type=click.IntRange(1),
    help="At most so many sets of inputs; by default more are looked for where these reach too "
    "little.",
)
custom_ops_option = click.option(
    "--custom-ops",
    metavar="LIB",
    multiple=True,
    type=SourceFile(),
    help="A shared library with operators for onnxruntime. Repeatable.",
)
save_data_option = click.option(
    "--save-data",
    metavar="DIR",
    type=TargetDataFolder(),
    help="Keep the inputs and the original's outputs as ONNX test_data_set_*, to replay elsewhere.",
)


def require_data(path: Path, *data: Path | None, runs: bool = False) -> None:
    """Returns where all data that was given fits the inputs of the model, before work is spent.

    `runs`: it is to run in onnxruntime without libraries of the reader's.

    Raises:
        DataError: some does not fit; the message names the input.
        ModelError: the model does not run so, or cannot be read.
    """
    given = [one for one in data if one is not None]
    if not given and not runs:
        return
    from bnfold import model_io
    from bnfold.runtime.signature import inputs_of
    from bnfold.verify.user_data import require_fitting

    model = model_io.load(path)
    if runs:
        model_io.refuse_foreign(model, str(path))
    for one in given:
        require_fitting(one, inputs_of(model))
