"""Runs the study, or what is missing of it, and writes its page: `python -m models.study`."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click
import psutil
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from models.command import Command
from models.study import page, plots, rows
from models.study.figures import of_whole_seeds
from models.study.grid import FULL, QUICK, Cell, Grid
from models.study.machine import machine
from models.study.one_run import Outcome
from models.study.running import complete
from models.training.whole import folder_for_writing

DOCS = Path(__file__).parents[2] / "docs"


@click.command(cls=Command)
@click.option("--quick", is_flag=True, help="A grid of a minute, to see that it works.")
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    help="For the page and the runs; default: docs, where the full study lies, and study-output "
    "for --quick.",
)
@click.option("--report", is_flag=True, help="Run nothing: tell of the seeds that are whole.")
@click.option("--jobs", type=click.IntRange(min=1), help="Processes; default: one for each core.")
def main(quick: bool, output: Path | None, report: bool, jobs: int | None) -> None:
    """Train what is missing of the study's grid, and write its page, plots and raw results.

    Runs that are in OUTPUT/batch-norm-study/runs.csv are not run again, so that a study that was
    stopped goes on where it was. The full study takes under an hour on two cores that are free.
    """
    plots.find_matplotlib()
    grid = QUICK if quick else FULL
    place = output or (Path("study-output") if quick else DOCS)
    folder = folder_for_writing(place / page.FOLDER)
    told = folder / "machine.json"
    if not told.exists():
        told.write_text(json.dumps(machine(), indent=2) + "\n", encoding="utf-8")
    runs = folder / "runs.csv"
    outcomes = rows.read(runs) if report else _complete(runs, grid, jobs)
    study = of_whole_seeds(grid, outcomes)
    plots.draw(study, folder)
    text = page.page(study, json.loads(told.read_text(encoding="utf-8")))
    (place / f"{page.FOLDER}.md").write_text(text, encoding="utf-8")
    click.echo(f"{place / page.FOLDER}.md tells of {len(study.grid.cells())} runs")


def _complete(runs: Path, grid: Grid, jobs: int | None) -> dict[Cell, Outcome]:
    os.environ["OMP_NUM_THREADS"] = "1"  # of the processes that are started from here
    with _bar() as progress:
        task = progress.add_task("runs", total=None)

        def show(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        return complete(runs, grid, jobs or psutil.cpu_count(logical=False) or 1, show)


def _bar() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
               TimeRemainingColumn())  # fmt: skip
    console = Console(stderr=True)
    return Progress(*columns, console=console, disable=not console.is_terminal)


if __name__ == "__main__":
    main()
