"""What a sweep has done so far, a line of JSON for each model: a stopped one goes on from there."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bnfold.errors import DataError, UsageError
from bnfold.model_io import Together, naming
from bnfold.record import SCHEMA_VERSION, read_as
from bnfold.sweep.records import Outcome

NAME = "sweep.jsonl"
_FIRST = {"tool": {"name": "bnfold"}, "command": "sweep", "schema_version": SCHEMA_VERSION}


@dataclass(frozen=True)
class Past:
    """What earlier sweeps into a folder have left.

    Attributes:
        outcomes: the last one of each source.
        targets: every file that one of them wrote, or was about to write when it was stopped.
    """

    outcomes: dict[str, Outcome] = field(default_factory=dict)
    targets: set[str] = field(default_factory=set)


class Journal:
    """The file OUT/sweep.jsonl.

    Its first line says what it is. Each sweep adds the files that it may write, then an outcome
    for each model as it is done.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME

    def past(self) -> Past:
        """What it tells; of a line that a kill has cut, nothing.

        Raises:
            UsageError: a file of that name is there which no sweep has written.
        """
        past = Past()
        for number, line in enumerate(self._lines()):
            try:
                entry = json.loads(line)
            except ValueError:
                entry = None
            if number == 0:
                self._check(entry)
            elif isinstance(entry, dict) and "targets" in entry:
                past.targets.update(entry["targets"])
            elif entry is not None:
                with suppress(DataError):
                    outcome = read_as(Outcome, entry)
                    past.outcomes[outcome.source] = outcome
        return past

    def begin(self, targets: Iterable[Path]) -> None:
        """The files that a sweep may write are told, and the file is there."""
        if not self._lines():
            self._replace([json.dumps(_FIRST)])
        self._append({"targets": [str(target) for target in targets]})

    def add(self, outcome: Outcome) -> None:
        """The outcome is on disk, whatever happens next."""
        self._append(outcome.to_dict())

    def finish(self, outcomes: Iterable[Outcome], left: Iterable[str] = ()) -> None:
        """Each model has one line, in this order.

        Args:
            outcomes: of all models that sweeps into the folder have seen.
            left: targets of models that failed, of which an earlier sweep has left something.
        """
        first = next(iter(self._lines()))
        found = list(outcomes)
        targets = [outcome.target for outcome in found if outcome.target is not None]
        told = {"targets": [*targets, *left]}
        lines = [first, *map(json.dumps, (told, *(outcome.to_dict() for outcome in found)))]
        self._replace(lines)

    def _replace(self, lines: Iterable[str]) -> None:
        with Together() as files:
            files.write(self.path, "".join(f"{line}\n" for line in lines).encode())

    def _append(self, entry: Any) -> None:
        with naming(self.path), self.path.open("ab+") as file:
            file.seek(0, os.SEEK_END)
            is_cut = file.tell() > 0 and not _ends_a_line(file)
            file.write(f"{chr(10) if is_cut else ''}{json.dumps(entry)}\n".encode())
            file.flush()
            os.fsync(file.fileno())

    def _lines(self) -> list[str]:
        try:
            text = self.path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return []
        return text.splitlines()

    def _check(self, entry: Any) -> None:
        is_ours = isinstance(entry, dict) and entry.get("command") == "sweep"
        if not is_ours or entry.get("schema_version") != SCHEMA_VERSION:
            raise self._foreign()

    def _foreign(self) -> UsageError:
        return UsageError(f"{self.path}: not written by a sweep of this version; name a new folder")


def _ends_a_line(file: Any) -> bool:
    file.seek(-1, os.SEEK_END)
    return bool(file.read(1) == b"\n")
