"""The options that `export` and `run` share, and the call that they make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bnfold.cli.bundles import bundled
from bnfold.cli.input_types import SourceFile, SourceInput
from bnfold.cli.progress_bar import progress
from bnfold.errors import UsageError

if TYPE_CHECKING:
    from bnfold.export.capture import Exporter
    from bnfold.export.records import ExportResult


@dataclass(frozen=True)
class ExportOptions:
    """What was asked of an export, as it was written."""

    weights: Path | None = None
    weights_key: str | None = None
    inputs: tuple[str, ...] = ()
    dynamic: tuple[str, ...] = ()
    exporter: Exporter = "auto"
    opset: int | None = None
    fp16: bool = False
    trust: bool = False
    runtime: str | None = None


trust_option = click.option(
    "--trust",
    is_flag=True,
    help="Read a .pt2 program, which may run code of its author.",
)

weights_options = (
    click.option(
        "--weights",
        metavar="F",
        type=SourceFile(),
        help="A .safetensors or .pt file for the module; nothing in it is executed.",
    ),
    click.option(
        "--weights-key",
        metavar="KEY",
        help="Which set of weights in that file, where several fit: model_ema.",
    ),
)

for_option = click.option(
    "--for",
    "runtime",
    metavar="RELEASE",
    help="A release that has to load the model: onnxruntime==1.17, or another number.",
)

export_options = bundled(
    "export_as",
    ExportOptions,
    (
        *weights_options,
        click.option(
            "--input",
            "inputs",
            metavar="NAME:SHAPE-OR-FILE",
            multiple=True,
            type=SourceInput(),
            help="NAME:1,3,224,224 or NAME:F.npy, for each input of the module; without NAME: for "
            "the only one.",
        ),
        click.option(
            "--dynamic",
            metavar="NAME:AXIS=DIM",
            multiple=True,
            help="x:0=batch lets axis 0 of x vary. Default: the first axis of each input; "
            "'none' for no axis. Repeatable.",
        ),
        click.option(
            "--exporter",
            type=click.Choice(("auto", "dynamo", "torchscript")),
            default="auto",
            help="dynamo captures the code, torchscript traces one run; auto is the first, and the "
            "second where that fails.",
        ),
        click.option("--opset", type=int, help="The version of the ONNX operators."),
        click.option("--fp16", is_flag=True, help="Weights and inputs in float16."),
        trust_option,
        for_option,
    ),
)


def exported(
    ctx: click.Context,
    spec: str,
    target: Path,
    options: ExportOptions,
    *,
    by_default: bool = False,
) -> ExportResult:
    """The network that SPEC names is an ONNX file at `target`, with a bar on a terminal."""
    import bnfold
    from bnfold.export.inputs import parse_inputs

    with progress(ctx, "exporting", patience_s=0.0) as bar:
        return bnfold.export(
            spec,
            parse_inputs(options.inputs),
            target,
            weights=options.weights,
            weights_key=options.weights_key,
            dynamic=parse_dynamic(options.dynamic),
            exporter=options.exporter,
            opset=options.opset,
            fp16=options.fp16,
            trust=options.trust,
            runtime=options.runtime,
            by_default=by_default,
            progress=bar,
        )


def parse_dynamic(texts: Sequence[str]) -> Mapping[str, Mapping[int, str]] | None:
    """`x:0=batch` as `{"x": {0: "batch"}}`; `none` alone as `{}`; None where nothing was said.

    Raises:
        UsageError: a text has none of these forms.
    """
    if not texts:
        return None
    if list(texts) == ["none"]:
        return {}
    found: dict[str, dict[int, str]] = {}
    for text in texts:
        place, _, dimension = text.partition("=")
        name, _, axis = place.rpartition(":")
        if not (name and dimension and axis.isdecimal()):
            raise UsageError(f"--dynamic {text}: write NAME:AXIS=DIM, as in --dynamic x:0=batch")
        found.setdefault(name, {})[int(axis)] = dimension
    return found
