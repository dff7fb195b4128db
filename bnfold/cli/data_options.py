"""Options on what a model is run on and with, which several commands share."""

from __future__ import annotations

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
    "--samples", metavar="N", type=click.IntRange(1), help="At most so many sets of inputs."
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
