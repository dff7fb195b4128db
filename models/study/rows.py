"""Outcomes as lines of a CSV file, to which a line is added whenever a run ends.

A study that was stopped goes on where it was: what is in the file is not run again. A last line
that was cut off by the stop is dropped.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import cast

from bnfold.errors import DataError
from models.cnn import Place
from models.study.grid import Cell
from models.study.one_run import Outcome

COLUMNS = (
    "place", "dropout", "learning_rate", "init_scale", "seed",
    "held_out_percent", "lost_at_step", "accuracies", "losses",
)  # fmt: skip


def read(path: Path) -> dict[Cell, Outcome]:
    """What the file has; nothing where there is none.

    Raises:
        DataError: it is not a file of this study.
    """
    if not path.exists():
        return {}
    whole, _, _ = path.read_text(encoding="utf-8").rpartition("\n")
    if not whole:
        return {}
    lines = list(csv.reader(io.StringIO(whole)))
    if tuple(lines[0]) != COLUMNS:
        raise DataError(f"{path}: these are not the columns of a study; give another --output")
    try:
        outcomes = [_outcome(line) for line in lines[1:]]
    except ValueError as error:
        raise DataError(f"{path}: a line cannot be read: {error}") from error
    return {outcome.cell: outcome for outcome in outcomes}


def write(path: Path, outcomes: dict[Cell, Outcome]) -> None:
    """The file has these and no others."""
    lines = [COLUMNS, *(_line(outcome) for outcome in outcomes.values())]
    path.write_text("".join(_text(line) for line in lines), encoding="utf-8")


def append(path: Path, outcome: Outcome) -> None:
    """The file has this one too, on the disk."""
    with path.open("a", encoding="utf-8") as file:
        file.write(_text(_line(outcome)))


def _text(line: tuple[object, ...]) -> str:
    return ",".join(str(value) for value in line) + "\n"


def _line(outcome: Outcome) -> tuple[object, ...]:
    cell = outcome.cell
    return (
        cell.place,
        int(cell.dropout),
        cell.learning_rate,
        cell.init_scale,
        cell.seed,
        f"{outcome.held_out_percent:.1f}",
        "" if outcome.lost_at_step is None else outcome.lost_at_step,
        " ".join(f"{value:.1f}" for value in outcome.accuracies),
        " ".join(f"{value:.4g}" for value in outcome.losses),
    )


def _outcome(line: list[str]) -> Outcome:
    place, dropout, rate, scale, seed, held_out, lost, accuracies, losses = line
    return Outcome(
        Cell(cast(Place, place), dropout == "1", float(rate), float(scale), int(seed)),
        tuple(float(value) for value in losses.split()),
        tuple(float(value) for value in accuracies.split()),
        float(held_out),
        int(lost) if lost else None,
    )
