"""Options on who is measured beside the models that a user names."""

from __future__ import annotations

import click

from bnfold.cli.choices import OneOf
from bnfold.cli.input_types import SourceFile

PEERS = {
    "ort": "onnxruntime's offline mode",
    "onnxsim": "onnx-simplifier",
    "onnxslim": "OnnxSlim",
    "onnxoptimizer": "onnx/optimizer",
    "onnxscript": "its optimiser and rewriter",
    "openvino": "the runtime",
}
PEER = OneOf("optimiser", PEERS, several=True)


def _listed(
    _ctx: click.Context, _parameter: click.Parameter, values: tuple[str, ...]
) -> tuple[str, ...]:
    """Each optimiser once, from several options and between commas."""
    return tuple(dict.fromkeys(name for value in values for name in value.split(",")))


against_option = click.option(
    "--against",
    multiple=True,
    metavar="NAME[,NAME...]",
    type=PEER,
    callback=_listed,
    help="Let these optimisers take the first model too, and time them in the same pairs: "
    f"{', '.join(PEERS)}. What is not installed is told. Repeatable.",
)
baseline_option = click.option(
    "--baseline",
    metavar="REPORT.json",
    type=SourceFile(),
    help="Hold each figure against this earlier record (--json) too; with --fail-if-slower, that "
    "is a gate. One of another machine or runtime is told, and not compared.",
)
floor_option = click.option(
    "--floor",
    is_flag=True,
    help="Time the first model with its batch norms deleted too: what a perfect fold could reach. "
    "Tells how much of what they cost is gone.",
)
cuda_graph_option = click.option(
    "--cuda-graph",
    is_flag=True,
    help="With --provider cuda: launch each run as one captured graph.",
)
