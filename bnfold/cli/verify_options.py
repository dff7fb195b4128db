"""The options that `verify` has, some of which `run` shares, and the call that they make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bnfold.cli.bundles import bundled
from bnfold.cli.choices import HALF, LEVEL, PROVIDER, repair_option
from bnfold.cli.data_options import (
    custom_ops_option,
    data_option,
    samples_option,
    save_data_option,
)
from bnfold.cli.dimensions import dim_option, parse_dims
from bnfold.cli.export_options import trust_option, weights_options
from bnfold.cli.progress_bar import progress
from bnfold.errors import UsageError

if TYPE_CHECKING:
    import onnx_ir

    from bnfold.verify.records import Verification


@dataclass(frozen=True)
class VerifyOptions:
    """What was asked of a verification."""

    data: Path | None = None
    samples: int | None = None
    seed: int = 0
    providers: tuple[str, ...] = ("cpu",)
    levels: tuple[str, ...] = ()
    dims: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    repair: tuple[str, ...] = ()
    as_dtype: str | None = None
    custom_ops: tuple[Path, ...] = ()
    save_data: Path | None = None
    weights: Path | None = None
    weights_key: str | None = None
    trust: bool = False


verify_options = bundled(
    "verify_as",
    VerifyOptions,
    (
        data_option,
        samples_option,
        click.option("--seed", default=0, show_default=True, help="Of inputs that are made up."),
        click.option(
            "--provider",
            "providers",
            multiple=True,
            default=("cpu",),
            show_default=True,
            type=PROVIDER,
            help=f"{PROVIDER.legend}. Repeatable.",
        ),
        click.option(
            "--level",
            "levels",
            multiple=True,
            type=LEVEL,
            help=f"onnxruntime's optimisations. {LEVEL.legend}. Repeatable.  [default: none and "
            "all; none for models from 1 GiB on]",
        ),
        dim_option,
        click.option(
            "--map",
            "names",
            metavar="A=B",
            multiple=True,
            help="An input or output that A calls A is called B in B. Repeatable.",
        ),
        repair_option("Mend in A what its exporter wrote and did not mean, as the fold did."),
        click.option(
            "--as",
            "as_dtype",
            type=HALF,
            help="OTHER is a half-precision copy, and is judged by the rounding of that.",
        ),
        custom_ops_option,
        save_data_option,
        *weights_options,
        trust_option,
    ),
)


def verified(
    ctx: click.Context,
    a: str | Path | onnx_ir.Model,
    b: Path | onnx_ir.Model,
    options: VerifyOptions,
) -> Verification:
    """The verdict on two models, with a bar on a terminal."""
    import bnfold

    with progress(ctx, "verifying") as bar:
        return bnfold.verify(
            a,
            b,
            data=options.data,
            samples=options.samples,
            seed=options.seed,
            providers=options.providers,
            levels=options.levels or None,
            dims=parse_dims(options.dims),
            names=parse_names(options.names),
            repair=options.repair,
            as_dtype=options.as_dtype,
            custom_ops=options.custom_ops,
            save_data=options.save_data,
            weights=options.weights,
            weights_key=options.weights_key,
            trust=options.trust,
            progress=bar,
        )


def parse_names(texts: Sequence[str]) -> dict[str, str]:
    """`logits=output` as `{"logits": "output"}`.

    Raises:
        UsageError: a text is not A=B.
    """
    names: dict[str, str] = {}
    for text in texts:
        ours, equals, theirs = text.partition("=")
        if not (ours and equals and theirs):
            raise UsageError(f"--map {text}: write A=B, as in --map logits=output")
        names[ours] = theirs
    return names
