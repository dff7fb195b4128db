"""The options that `fold`, `inspect` and `run` share, and the call that they make.

`sweep` has the first two of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bnfold.cli.bundles import bundled
from bnfold.cli.choices import ALLOWANCE, repair_option
from bnfold.cli.completion import rules
from bnfold.cli.output import note
from bnfold.cli.progress_bar import progress

if TYPE_CHECKING:
    import onnx
    import onnx_ir as ir

    from bnfold.fold.api import FoldResult

_MOST_SIMPLIFIED_BYTES = (1 << 31) - 1  # of the message that onnxsim is given
_SIMPLIFYING = 5  # times the model's size: it is held as messages and as bytes, before and after


@dataclass(frozen=True)
class FoldOptions:
    """What was asked of a fold."""

    allow: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    repair: tuple[str, ...] = ()
    flush_subnormals: bool = False
    equalize: bool = False
    strict: bool = False
    simplify: bool = False
    check: bool | None = None


allow_option = click.option(
    "--allow",
    multiple=True,
    type=ALLOWANCE,
    help=f"Apply a rewrite that has a price. {ALLOWANCE.legend}. Repeatable.",
)
skip_option = click.option(
    "--skip",
    metavar="NODE-OR-RULE",
    multiple=True,
    shell_complete=rules,
    help="Leave this node, or everything that this rule would do. Repeatable.",
)
fold_options = bundled(
    "fold_as",
    FoldOptions,
    (
        allow_option,
        skip_option,
        repair_option(
            "Mend what the exporter wrote and did not mean; it changes what the model computes."
        ),
        click.option(
            "--flush-subnormals",
            is_flag=True,
            help="Set folded weights below 1.2e-38 to 0, with which some processors are slow.",
        ),
        click.option(
            "--equalize",
            is_flag=True,
            help="Even out the channels of neighbouring layers, by powers of two, for int8; the "
            "model computes the same numbers.",
        ),
        click.option(
            "--strict",
            is_flag=True,
            help="Fail where a rewrite does not prove itself, in place of dropping it: with 5 "
            "where it is wrong, with 3 where it cannot be run.",
        ),
        click.option(
            "--check/--no-check",
            default=None,
            help="Compare the whole model before and after in onnxruntime, where it runs there: "
            "inspect, only where asked to; the others, unless told not to.",
        ),
        click.option("--simplify", is_flag=True, help="Run onnxsim over the model first."),
    ),
)


def folded(
    ctx: click.Context,
    source: Path,
    options: FoldOptions,
    *,
    runtime: str | None = None,
    check: bool = True,
    custom_ops: Sequence[Path] = (),
) -> FoldResult:
    """The model at `source`, folded, with a bar on a terminal and a note on unknown operators.

    `check`: whether the whole is compared where the options do not say.
    """
    import bnfold
    from bnfold.model_io import unknown_domains

    model = simplified(source) if options.simplify else source
    with progress(ctx, "folding") as bar:
        result = bnfold.fold(
            model,
            allow=options.allow,
            skip=options.skip,
            repair=options.repair,
            flush_subnormals=options.flush_subnormals,
            equalize=options.equalize,
            strict=options.strict,
            check=check if options.check is None else options.check,
            custom_ops=custom_ops,
            runtime=runtime,
            progress=bar,
        )
    if options.repair and not result.ledger.repairs:
        note(ctx, f"{source}: --repair {' and '.join(options.repair)}: nothing here needs it")
    if options.equalize and not result.ledger.equalized:
        note(ctx, f"{source}: --equalize: nothing here is evened out")
    domains = unknown_domains(result.model)
    if domains:
        listed = ", ".join(map(repr, domains))
        note(ctx, f"{source}: operators of the unknown domain {listed} stay as they are")
    return result


def compared_with(source: Path, options: FoldOptions) -> Path | ir.Model:
    """What the folded model has to be equivalent to: IN.onnx, or that as it was repaired."""
    from bnfold.fold.api import repaired

    return repaired(source, options.repair) if options.repair else source


def simplified(source: Path) -> onnx.ModelProto:
    """The model after onnxsim, the file untouched.

    Raises:
        MissingDependencyError: onnxsim is not installed.
        ModelError: onnxsim cannot take the model.
    """
    from bnfold import model_io
    from bnfold.errors import MissingDependencyError, ModelError
    from bnfold.runtime.engine import with_native_log
    from bnfold.typed.room import require_memory

    size = sum(file.stat().st_size for file in model_io.files_of(source))
    if size > _MOST_SIMPLIFIED_BYTES:
        raise ModelError(
            f"{source}: onnxsim takes a model in one message of 2 GiB, and this one is larger; "
            "leave --simplify out"
        )
    require_memory(_SIMPLIFYING * size, f"{source}: --simplify")
    original = model_io.to_proto(model_io.load(source))
    try:
        import onnxsim
    except ImportError as error:
        raise MissingDependencyError("--simplify needs onnxsim: pip install onnxsim") from error
    try:
        # It prints the traceback of each operator that it does not know how to compute.
        (model, is_checked), _ = with_native_log(lambda: onnxsim.simplify(original))
    except (RuntimeError, ValueError) as error:
        raise ModelError(f"{source}: onnxsim cannot simplify it: {error}") from error
    if not is_checked:
        raise ModelError(f"{source}: onnxsim changed what the model computes; leave --simplify out")
    simple: onnx.ModelProto = model
    return simple
