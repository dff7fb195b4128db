"""`bnfold export`: a torch module or program as ONNX, its batch norms kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from bnfold.cli.bundles import settings_of
from bnfold.cli.claims import GuardedCommand, force_option
from bnfold.cli.export_options import ExportOptions, export_options, exported
from bnfold.cli.given import input_records
from bnfold.cli.input_types import SourceNetwork
from bnfold.cli.output import json_option, put_record, show, show_record
from bnfold.cli.output_types import TargetModel
from bnfold.cli.verbosity import verbosity_options


@click.command(
    cls=GuardedCommand,
    epilog="Example: bnfold export net.py:build -o net.onnx --weights net.pt --input x:1,3,224,224",
)
@click.argument("spec", metavar="SPEC", type=SourceNetwork())
@click.option(
    "-o",
    "--output",
    metavar="OUT.onnx",
    required=True,
    type=TargetModel(),
    help="Where the ONNX model goes.",
)
@export_options
@json_option
@force_option
@verbosity_options
@click.pass_context
def export(
    ctx: click.Context,
    *,
    spec: str,
    output: Path,
    export_as: ExportOptions,
    json_target: str | None,
) -> None:
    """Write the network that SPEC names as ONNX, its batch norms kept, checked against the module.

    SPEC is package.module:factory, path/file.py:factory, or a .pt2 program.
    """
    from bnfold.model_io import Together
    from bnfold.report.envelope import envelope, model_record
    from bnfold.report.export_text import export_blocks

    with Together() as files:
        aside = files.aside(output)
        result = replace(exported(ctx, spec, aside, export_as), path=output)
        if json_target is not None:
            record = envelope(
                "export",
                settings=settings_of(export_as),
                inputs=input_records(ctx),
                outputs=[model_record(output, at=aside)],
                result=result.to_dict(),
            )
            put_record(record, json_target, files)
    if json_target is not None:
        show_record(record, json_target)
    show(ctx, export_blocks(result), json_target)
