"""Parameters that name a folder of results. Each knows its files, and what it may replace."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bnfold.cli import file_kinds
from bnfold.cli.output_types import Target, is_data_of, with_data
from bnfold.cli.paths import require_new_folder
from bnfold.errors import ModelError, UsageError


class TargetRunFolder(Target):
    """The folder of a `run`, whose files are those of one run."""

    noun = "a result"
    is_folder = True
    is_report = False
    MODELS = ("original.onnx", "folded.onnx")
    REPORTS = ("report.json", "report.html")

    def require(self, value: Any) -> None:
        """Returns where the folder is there or can be made."""
        self.refuse_stdout(value)
        require_new_folder(value)

    def files(self, value: Any) -> Iterable[Path]:
        """All that a run may leave."""
        models = [path for name in self.MODELS for path in with_data(value / name)]
        return [*models, *(value / name for name in self.REPORTS)]

    def claimed(self, value: Any) -> Iterable[Path]:
        """The folder too: it is that of one run and nothing else."""
        return [value, *self.files(value)]

    def is_ours(self, path: Path, value: Any) -> bool:
        """What the record of an earlier run in this folder tells of, unchanged since."""
        if path == value:
            return path.is_dir()
        if path.name == "report.html":
            return file_kinds.is_page(path)
        record = value / "report.json"
        if not file_kinds.is_record(record):
            return False
        if path == record:
            return True
        made = {Path(out["path"]).name: out["sha256"] for out in _outputs(record)}
        model = path if path.name in made else path.with_suffix("")
        if model.name not in made:
            return False
        return (path == model or is_data_of(path, model)) and _sha256(model) == made[model.name]


class TargetSweepFolder(Target):
    """The folder of a `sweep`; which models it gets is for the sweep to say, and to keep free."""

    noun = "a sweep"
    is_folder = True
    is_report = False
    PAGE = "sweep.html"

    def require(self, value: Any) -> None:
        """Returns where the folder is there or can be made."""
        self.refuse_stdout(value)
        require_new_folder(value)

    def files(self, value: Any) -> Iterable[Path]:
        """Its own files."""
        from bnfold.sweep.journal import NAME

        return [value / NAME, value / self.PAGE]

    def claimed(self, value: Any) -> Iterable[Path]:
        """The folder too."""
        return [value, *self.files(value)]

    def is_ours(self, path: Path, value: Any) -> bool:
        """A folder, an earlier sweep's page, or its record."""
        if path == value:
            return path.is_dir()
        return file_kinds.is_page(path) if path.name == self.PAGE else file_kinds.is_journal(path)


class TargetDataFolder(Target):
    """A folder of test data, `test_data_set_0` and so on."""

    noun = "test data"
    is_folder = True
    is_report = False

    def require(self, value: Any) -> None:
        """Returns where the folder is new or has no test data."""
        self.refuse_stdout(value)
        require_new_folder(value)
        if any(value.glob("test_data_set_*")):
            raise UsageError(f"{value}: has test data already; name a new folder")

    def files(self, value: Any) -> Iterable[Path]:
        """The folder itself: two results cannot both be it."""
        return [value]

    def is_ours(self, path: Path, value: Any) -> bool:
        """A folder."""
        return path.is_dir()


def _outputs(record: Path) -> list[dict[str, str]]:
    found = json.loads(record.read_bytes())
    outputs = found.get("outputs", []) if found.get("command") == "run" else []
    return [out for out in outputs if isinstance(out, dict) and {"path", "sha256"} <= out.keys()]


def _sha256(model: Path) -> str:
    from bnfold.model_io import sha256

    try:
        return sha256(model)
    except ModelError:
        return hashlib.sha256(b"").hexdigest()
