"""Writes the table in models/README.md and the cards in models/cards: `python -m models.table`."""

from __future__ import annotations

from pathlib import Path

import click

from models.card import CARDS, batch_norms_of, card, record_of
from models.data import NOISE, held_out
from models.evaluate import UNITS, metric_of
from models.recipe import RECIPES, Recipe

README = Path(__file__).parent / "README.md"
BEGIN = "<!-- begin table, written by python -m models.table -->\n"
END = "<!-- end table -->\n"


def _row(recipe: Recipe) -> str:
    record = record_of(recipe)
    size = recipe.weights_path.stat().st_size
    return (
        f"| [`{recipe.name}`](cards/{recipe.name}.md) | {batch_norms_of(recipe)} "
        f"| {record['parameters']:,} | {size / 1024:.0f} KiB | {recipe.data} "
        f"| {record['epochs']} | {record['value']:.2f} {UNITS[recipe.metric]} |\n"
    )


def table() -> str:
    """The results as recorded when the weights were trained, as a Markdown table."""
    noisy = metric_of(RECIPES["digits_denoiser"], held_out(RECIPES["digits_denoiser"]).inputs)
    return (
        "| network | batch norms | parameters | weights | data | epochs | held out |\n"
        "| --- | --: | --: | --: | --- | --: | --: |\n"
        + "".join(_row(recipe) for recipe in RECIPES.values())
        + f"\nThe noisy digits themselves (noise {NOISE}) are at {noisy:.2f} dB.\n"
    )


def with_table(text: str) -> str:
    """The README's text with its table replaced by the present one."""
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return head + BEGIN + table() + END + tail


@click.command()
def main() -> None:
    """Bring the table in models/README.md and the cards up to date."""
    README.write_text(with_table(README.read_text()))
    CARDS.mkdir(exist_ok=True)
    for recipe in RECIPES.values():
        (CARDS / f"{recipe.name}.md").write_text(card(recipe))
    click.echo(f"{README} and {CARDS} are up to date")


if __name__ == "__main__":
    main()
