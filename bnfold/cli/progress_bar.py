"""Progress on a terminal, for whatever takes longer than a second; silence in a pipe."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from bnfold.cli.verbosity import is_quiet
from bnfold.escaping import shown

if TYPE_CHECKING:
    from rich.progress import Progress

PATIENCE_S = 1.0
REFRESH_S = 0.1
FEW = 10  # steps, each of which may take minutes and is shown


@contextmanager
def progress(
    ctx: click.Context, title: str, *, patience_s: float = PATIENCE_S
) -> Iterator[LateBar]:
    """Gives a bar to call as a `Progress` is; it goes away when the work is done.

    It is not drawn in the first `patience_s`, nor without a call: a step that takes minutes is
    shown if it begins later than that.
    """
    bar = LateBar(title, sys.stderr.isatty() and not is_quiet(ctx), patience_s)
    try:
        yield bar
    finally:
        bar.stop()


class LateBar:
    """Draws only when it is called: a thread of its own would disturb what is being timed."""

    def __init__(self, title: str, is_wanted: bool, patience_s: float = PATIENCE_S) -> None:
        self._title = title
        self._is_wanted = is_wanted
        self._begin_s = self._next_s = time.monotonic() + patience_s
        self._progress: Progress | None = None

    def __call__(self, done: int, total: int, label: str) -> None:
        """Shows how far the work is; `label` tells what is being done now."""
        now = time.monotonic()
        if not self._is_wanted or now < self._begin_s:
            return
        if now < self._next_s and total > FEW:
            return
        self._next_s = now + REFRESH_S
        from rich.markup import escape

        if self._progress is None:
            self._progress = _start(self._title)
        task = self._progress.task_ids[0]
        title = escape(shown(f"{self._title}: {label}"))
        self._progress.update(task, completed=done, total=total, description=title, refresh=True)

    def stop(self) -> None:
        """Takes the bar from the screen."""
        if self._progress is not None:
            self._progress.stop()


def _start(title: str) -> Progress:
    from rich.console import Console
    from rich.progress import Progress

    bar = Progress(console=Console(stderr=True), auto_refresh=False, transient=True)
    bar.add_task(title)
    bar.start()
    return bar
