"""`bnfold export`: a torch module or program as ONNX, its batch norms kept."""

from __future__ import annotations

from pathlib import Path

import click

from bnfold.cli.bundles import settings_of
from bnfold.cli.export_options import ExportOptions, export_options, exported
from bnfold.cli.output import json_option, leave_record, show
from bnfold.cli.paths import require_target
from bnfold.cli.verbosity import verbosity_options


@click.command()
@click.argument("spec")
@click.option(
    "-o",
    "--output",
    metavar="OUT.onnx",
    required=True,
    type=click.Path(path_type=Path),
    help="Where the ONNX model goes.",
)
@export_options
@json_option
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
    target = require_target(output)
    result = exported(ctx, spec, target, export_as)
    from bnfold.report.export_text import export_blocks
    from bnfold.report.records import envelope, file_record, model_record

    show(ctx, export_blocks(result), json_target)
    if json_target is not None:
        weights = export_as.weights
        record = envelope(
            "export",
            settings=settings_of(export_as),
            inputs=[] if weights is None else [file_record(weights)],
            outputs=[model_record(target)],
            result=result.to_dict(),
        )
        leave_record(record, json_target)
