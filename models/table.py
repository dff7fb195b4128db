"""Writes the table of results into models/README.md: `python -m models.table`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from models.data import NOISE, held_out
from models.evaluate import UNITS, metric_of
from models.recipe import RECIPES, Recipe

README = Path(__file__).parent / "README.md"
BEGIN = "<!-- begin table, written by python -m models.table -->\n"
END = "<!-- end table -->\n"


def _row(recipe: Recipe) -> str:
    record = json.loads(recipe.record_path.read_text())
    size = recipe.weights_path.stat().st_size
    return (
        f"| `{recipe.name}` | {batch_norms_of(recipe)} | {record['parameters']:,} "
        f"| {size / 1024:.0f} KiB | {record['epochs']} | {record['value']:.2f} "
        f"{UNITS[recipe.metric]} |\n"
    )


def batch_norms_of(recipe: Recipe) -> int:
    """How many batch norm layers the network has."""
    from torch.nn.modules.batchnorm import _BatchNorm

    return sum(isinstance(module, _BatchNorm) for module in recipe.build_untrained().modules())


def table() -> str:
    """The results as recorded when the weights were trained, as a Markdown table."""
    noisy = metric_of(RECIPES["digits_denoiser"], held_out("denoise").inputs)
    return (
        "| network | batch norms | parameters | weights | epochs | on the held-out digits |\n"
        "| --- | --: | --: | --: | --: | --: |\n"
        + "".join(_row(recipe) for recipe in RECIPES.values())
        + f"\nThe noisy images themselves (noise {NOISE}) are at {noisy:.2f} dB.\n"
    )


def with_table(text: str) -> str:
    """The README's text with its table replaced by the present one."""
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return head + BEGIN + table() + END + tail


@click.command()
def main() -> None:
    """Bring the table in models/README.md up to date."""
    README.write_text(with_table(README.read_text()))
    click.echo(f"{README} is up to date")


if __name__ == "__main__":
    main()
