"""How a measuring process says on its stdout how far it is."""

from __future__ import annotations

import sys

_MARK = "bnfold-step"


def say_step(done: int, total: int) -> None:
    """One line that says so."""
    sys.stdout.write(f"{_MARK} {done} {total}\n")
    sys.stdout.flush()


def read_step(line: str) -> tuple[int, int] | None:
    """What the line says; None for one that some library has printed."""
    words = line.split()
    if len(words) != 3 or words[0] != _MARK or not (words[1] + words[2]).isdigit():
        return None
    return int(words[1]), int(words[2])
