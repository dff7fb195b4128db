"""Runs what is missing of a grid, in processes, one line of the file for each that ends."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from pathlib import Path

from models.study import rows
from models.study.grid import Cell, Grid
from models.study.one_run import Outcome, run


def complete(
    path: Path, grid: Grid, jobs: int, progress: Callable[[int, int], None]
) -> dict[Cell, Outcome]:
    """Every run of the grid is in the file; what was there before is not run again.

    Args:
        path: of the CSV file.
        grid: what to run.
        jobs: processes at a time, each with one thread.
        progress: called with (runs done, runs in all).
    """
    cells = grid.cells()
    there = rows.read(path)
    done = {cell: there[cell] for cell in cells if cell in there}
    missing = [cell for cell in cells if cell not in done]
    path.parent.mkdir(parents=True, exist_ok=True)
    if missing:
        rows.write(path, there)  # without a line that was cut off
    progress(len(done), len(cells))
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        tasks = [(cell, grid) for cell in missing]
        for outcome in pool.imap_unordered(_run, tasks):
            rows.append(path, outcome)
            done[outcome.cell] = outcome
            progress(len(done), len(cells))
    done = {cell: done[cell] for cell in cells}
    rows.write(path, done)
    return done


def _run(task: tuple[Cell, Grid]) -> Outcome:
    return run(*task)
