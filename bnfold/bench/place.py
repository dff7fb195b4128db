"""Where models are measured: one Python, at one setting, on one set of inputs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bnfold.bench.handed import Step, ask
from bnfold.runtime.engine import Setting

if TYPE_CHECKING:
    from bnfold.bench.model_files import ModelFile


@dataclass(frozen=True)
class Fed:
    """Inputs in a file, for processes: by number, as an input may be called anything."""

    file: Path
    names: tuple[str, ...]
    batch: int


def stored(feeds: Mapping[str, np.ndarray], file: Path, *, batch: int) -> Fed:
    """The inputs, written to the file."""
    np.savez(file, *feeds.values())
    return Fed(file, tuple(feeds), batch)


@dataclass(frozen=True)
class MeasuringPlace:
    """Where, and on what.

    Attributes:
        python: the path of the interpreter.
        archive: the script that it is handed.
        runtime: what its rows are called; empty where there is one runtime alone.
        setting: of its sessions.
        fed: the inputs.
    """

    python: str
    archive: Path
    runtime: str
    setting: Setting
    fed: Fed

    def ask(
        self,
        task: str,
        subjects: Sequence[ModelFile],
        details: Mapping[str, Any],
        *,
        on_step: Step = lambda done, total: None,
    ) -> dict[str, Any]:
        """The report of a fresh process on the task; see `handed.ask` for what it raises."""
        job = {
            "task": task,
            "models": [
                {"path": os.path.realpath(s.path), "name": s.name, "engine": s.engine}
                for s in subjects
            ],
            "feeds": str(self.fed.file),
            "feed_names": list(self.fed.names),
            "setting": asdict(self.setting),
            **details,
        }
        return ask(self.python, self.archive, job, on_step=on_step)

    @property
    def row(self) -> dict[str, Any]:
        """The fields by which rows of a record say where they are from."""
        return {
            "provider": self.setting.provider,
            "level": self.setting.level,
            "threads": self.setting.threads,
            "batch": self.fed.batch,
            "runtime": self.runtime,
        }

    def __str__(self) -> str:
        words = [self.setting.provider, f"optimisations {self.setting.level}"]
        words += [f"batch {self.fed.batch}", f"{self.setting.threads} threads"]
        return ", ".join([*words, self.runtime] if self.runtime else words)
