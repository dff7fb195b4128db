"""--dim NAME=SIZE: the extents of dynamic dimensions."""

from __future__ import annotations

from collections.abc import Sequence

import click

from bnfold.errors import UsageError

dim_option = click.option(
    "--dim",
    "dims",
    metavar="NAME=SIZE",
    multiple=True,
    help="The size of a dynamic dimension, by its name or INPUT:AXIS. Repeatable.",
)


def parse_dims(texts: Sequence[str]) -> dict[str, int]:
    """`width=224` as `{"width": 224}`.

    Raises:
        UsageError: a text is not NAME=SIZE, or a size is none.
    """
    sizes: dict[str, int] = {}
    for text in texts:
        name, equals, size = text.rpartition("=")
        if not (name and equals and size.lstrip("-").isdecimal()):
            raise UsageError(f"--dim {text}: write NAME=SIZE, as in --dim width=224")
        if int(size) < 1:
            raise UsageError(f"--dim {text}: a size is at least 1")
        sizes[name] = int(size)
    return sizes
