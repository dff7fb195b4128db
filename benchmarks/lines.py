"""A run's results so far, a line of JSON each: one that was stopped goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def rows(state: Path) -> list[dict[str, Any]]:
    """What is there; a line that was being written when the run was killed is none."""
    found = []
    for line in state.read_text(encoding="utf-8").splitlines() if state.exists() else []:
        try:
            found.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return found


def add(state: Path, row: Mapping[str, Any]) -> None:
    """The row is there, whatever happens next."""
    with state.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")
