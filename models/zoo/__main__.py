"""Takes every network through the toolkit, and writes models/zoo.md: `make zoo`."""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict
from pathlib import Path

import click

from bnfold.bench.environment import environment
from bnfold.errors import MissingDependencyError
from models.command import NETWORK, Command
from models.recipe import RECIPES, Recipe
from models.training.whole import write_whole
from models.zoo.table import page
from models.zoo.through import Through, take

HERE = Path(__file__).resolve().parents[1]


@click.command(cls=Command)
@click.argument("wanted", nargs=-1, type=NETWORK, metavar="[NAME]...")
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=HERE,
    help="The folder for zoo.md and zoo.json; default: models.",
)
@click.option(
    "--pairs",
    type=click.IntRange(min=0),
    default=20,
    show_default=True,
    help="Paired timings for each level; 0 leaves time out, as on a machine that is busy.",
)
def main(wanted: tuple[Recipe, ...], output: Path, pairs: int) -> None:
    """Export, fold, compare, quantize and time networks, all or those named; write the table.

    What the table has of other networks stays. One whose data is not installed is left out, and
    said.
    """
    output.mkdir(parents=True, exist_ok=True)
    path = output / "zoo.json"
    rows = read(path)
    for recipe in wanted or tuple(RECIPES.values()):
        with tempfile.TemporaryDirectory() as folder:
            try:
                row = take(recipe, Path(folder), pairs)
            except MissingDependencyError as error:
                click.echo(f"{recipe.name}: left out: {error}", err=True)
                continue
        click.echo(f"{row.name}: {row.before} batch norms, {row.after} left")
        rows[row.name] = row
        _write(output, [rows[name] for name in RECIPES if name in rows])
    changed = [r.name for r in rows.values() if r.metrics["original"] != r.metrics["folded"]]
    if changed:
        raise click.ClickException(f"the fold changed the test metric of {', '.join(changed)}")
    click.echo(f"{output / 'zoo.md'} tells of {len(rows)} networks")


def read(path: Path) -> dict[str, Through]:
    """The rows of a record by the name of their network; none where there is no file."""
    if not path.exists():
        return {}
    rows = json.loads(path.read_text(encoding="utf-8"))["networks"]
    return {row["name"]: Through(**{**row, "scales": tuple(row["scales"])}) for row in rows}


def _write(output: Path, rows: list[Through]) -> None:
    told = _machine()
    record = {"machine": told, "networks": [asdict(row) for row in rows]}
    write_whole(output / "zoo.json", (json.dumps(record, indent=1) + "\n").encode())
    write_whole(output / "zoo.md", page(rows, told).encode())


def _machine() -> str:
    facts = environment(with_gpu=False)
    runtime = facts["versions"]["onnxruntime"]
    return f"On {facts['cpu']}, {facts['cores_usable']} cores, onnxruntime {runtime}, 1 thread."


if __name__ == "__main__":
    main()
