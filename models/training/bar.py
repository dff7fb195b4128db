"""A bar for each run on a terminal; a line for each epoch in a pipe."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from models.evaluate import UNITS
from models.recipe import Recipe
from models.training.state import State


@contextmanager
def bar(recipe: Recipe) -> Iterator[Bar]:
    """What to call after each step and each epoch of that recipe."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
               TimeRemainingColumn())  # fmt: skip
    is_terminal = sys.stderr.isatty()
    with Progress(*columns, console=Console(stderr=True), disable=not is_terminal) as progress:
        yield Bar(recipe, progress, is_terminal)


class Bar:
    """Counts steps; says how good the network is after each epoch."""

    def __init__(self, recipe: Recipe, progress: Progress, is_terminal: bool) -> None:
        self._recipe = recipe
        self._progress = progress
        self._is_terminal = is_terminal
        self._task = progress.add_task(recipe.name, total=None)

    def step(self, epoch: int, step: int, steps: int) -> None:
        """A step is done."""
        done = (epoch - 1) * steps + step
        self._progress.update(self._task, completed=done, total=self._recipe.epochs * steps)

    def epoch(self, state: State) -> None:
        """An epoch is done."""
        last = state.history[-1]
        told = f"epoch {last.number} of {self._recipe.epochs}: loss {last.loss:.5f}"
        if last.validation_metric is not None:
            told += f", validation {last.validation_metric:.2f} {UNITS[self._recipe.metric]}"
        if self._is_terminal:
            self._progress.update(self._task, description=f"{self._recipe.name}, {told}")
        else:
            click.echo(told)
